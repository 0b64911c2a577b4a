/** Versions and unfinished uploads among them: what no plain listing shows is where something survives. */
const LIST = ['s3:ListBucket', 's3:ListBucketVersions', 's3:ListBucketMultipartUploads']

/**
 * Policy of a bucket for the verifier: it lists and reads, and writes only where the log is. It deletes nowhere, and sets no
 * rights. Others are not named: they come by rights of their own, as the buckets' owner does.
 * @param bucket its name on the server
 * @param principal what the server's policies call the verifier: an ARN on AWS, the access key on versitygw
 */
export function verifierPolicy(bucket: string, principal: string, isLog: boolean): object {
  const allow = (Action: string[], Resource: string) => ({
    Effect: 'Allow',
    Principal: { AWS: [principal] },
    Action,
    Resource: [Resource],
  })
  const read = isLog ? ['s3:GetObject', 's3:PutObject'] : ['s3:GetObject']
  return {
    Version: '2012-10-17',
    Statement: [allow(LIST, `arn:aws:s3:::${bucket}`), allow(read, `arn:aws:s3:::${bucket}/*`)],
  }
}
