import { expect, test } from 'vitest'
import { readConfig } from '../runtime/config.ts'
import { parseAddress } from './engine.ts'
import { withDatabase } from './postgres.ts'
import { probePlatform, sumOf } from './probe-platform.ts'

test('the lag is the sum over partitions, and a metric that is absent is not zero', () => {
  const metrics = '# HELP x\nebb_lag{partition="0"} 3\nebb_lag{partition="1"} 4\nebb_lag_other 100\n'
  expect(sumOf(metrics, 'ebb_lag')).toBe(7)
  expect(sumOf(metrics, 'nothing')).toBeNull()
})

test('addresses are read with and without a scheme and a port', () => {
  expect(parseAddress('127.0.0.1:9092', 1)).toEqual({ host: '127.0.0.1', port: 9092 })
  expect(parseAddress('kafka', 9092)).toEqual({ host: 'kafka', port: 9092 })
  expect(parseAddress('http://default@[::1]:8123/', 1)).toEqual({ host: '::1', port: 8123 })
  expect(parseAddress('https://s3.example.org', 7070)).toEqual({ host: 's3.example.org', port: 443 })
})

test('another database of the same server keeps user and host', () => {
  expect(withDatabase('postgres://u:p@db:5433/ebb', 'keyring')).toBe('postgres://u:p@db:5433/keyring')
})

test('nothing that runs is shown as down, and no password is shown', async () => {
  const config = readConfig({
    EBB_KAFKA_BROKERS: '127.0.0.1:1',
    EBB_CLICKHOUSE_URL: 'http://default:secret@127.0.0.1:1',
    EBB_POSTGRES_URL: 'postgres://u:secret@127.0.0.1:1/ebb',
    EBB_TEMPORAL_ADDRESS: '127.0.0.1:1',
    EBB_TEMPORAL_UI_URL: 'http://127.0.0.1:1',
    EBB_S3_ENDPOINT: 'http://127.0.0.1:1',
  })
  const probes = await probePlatform(config, null)
  expect(probes.map((probe) => probe.health)).toEqual(probes.map(() => 'down'))
  expect(JSON.stringify(probes)).not.toContain('secret')
})
