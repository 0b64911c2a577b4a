// Command certificate-check is a second verifier of Ebb's certificates, written from docs/certificate-format.md with
// the Go checksum database's own packages for notes and trees. It reads one JSON object on stdin, and answers with one
// on stdout; an error goes to stderr with exit status 1.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type input struct {
	LogKey         string `json:"logKey"`
	CertificateKey string `json:"certificateKey"`
	WitnessKey     string `json:"witnessKey"`
	Certificate    []byte `json:"certificate"`
	Proof          []byte `json:"proof"`
	// Older is the text of an earlier checkpoint of the log; Consistency leads from it to the proof's.
	Older       string   `json:"older"`
	Consistency [][]byte `json:"consistency"`
	Leaves      [][]byte `json:"leaves"`
	// Tiles holds tile bytes by path.
	Tiles map[string][]byte `json:"tiles"`
}

type output struct {
	Size        int64  `json:"size"`
	Index       int64  `json:"index"`
	CosignedAt  uint64 `json:"cosignedAt"`
	TilesRead   int    `json:"tilesRead"`
	Consistency bool   `json:"consistency"`
}

func main() {
	out, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(out)
}

func run() (*output, error) {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return nil, err
	}
	leaf, err := checkCertificate(in.Certificate, in.CertificateKey)
	if err != nil {
		return nil, err
	}
	logKey, err := note.NewVerifier(in.LogKey)
	if err != nil {
		return nil, err
	}
	index, hashes, checkpoint, err := parseProof(in.Proof)
	if err != nil {
		return nil, err
	}
	tree, text, err := openCheckpoint(checkpoint, logKey)
	if err != nil {
		return nil, err
	}
	out := &output{Size: tree.N, Index: index}
	if err := tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return nil, fmt.Errorf("inclusion: %w", err)
	}
	if in.WitnessKey != "" {
		witness, err := newWitness(in.WitnessKey)
		if err != nil {
			return nil, err
		}
		opened, err := note.Open([]byte(checkpoint), note.VerifierList(witness))
		if err != nil || opened.Text != text {
			return nil, fmt.Errorf("cosignature: %w", err)
		}
		out.CosignedAt = witness.at
	}
	if in.Older != "" {
		older, _, err := openCheckpoint(in.Older, logKey)
		if err != nil {
			return nil, err
		}
		proof := tlog.TreeProof(toHashes(in.Consistency))
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash); err != nil {
			return nil, fmt.Errorf("consistency: %w", err)
		}
		out.Consistency = true
	}
	out.TilesRead, err = checkTiles(tree.N, in.Leaves, in.Tiles)
	return out, err
}

// checkCertificate verifies the signature and returns the log's leaf.
func checkCertificate(certificate []byte, vkey string) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(certificate, &fields); err != nil {
		return nil, err
	}
	var signatures []struct {
		Key   string `json:"key"`
		Value []byte `json:"value"`
	}
	if err := json.Unmarshal(fields["signatures"], &signatures); err != nil {
		return nil, err
	}
	var kind, key string
	json.Unmarshal(fields["kind"], &kind)
	json.Unmarshal(fields["key"], &key)
	delete(fields, "signatures")
	body, err := encode(fields)
	if err != nil {
		return nil, err
	}
	public, fingerprint, err := parseKey(vkey, append([]byte{0xff}, "ebb.certificate/v1"...))
	if err != nil {
		return nil, err
	}
	if fingerprint != key {
		return nil, errors.New("signed with another key")
	}
	message := append([]byte("ebb.certificate/v1\n"), body...)
	for _, signature := range signatures {
		if signature.Key == key && ed25519.Verify(public, message, signature.Value) {
			digest := sha256.Sum256(certificate)
			return encode(map[string]any{"certificate": hex.EncodeToString(digest[:]), "kind": kind, "version": 1})
		}
	}
	return nil, errors.New("the certificate's signature does not hold")
}

// encode writes sorted keys and leaves raw members as they are: the members of canonical JSON stay canonical.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), err
}

func parseKey(vkey string, keyType []byte) (ed25519.PublicKey, string, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, "", errors.New("malformed key")
	}
	bytes, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(bytes) != len(keyType)+ed25519.PublicKeySize || string(bytes[:len(keyType)]) != string(keyType) {
		return nil, "", errors.New("a key of another type")
	}
	fingerprint := sha256.Sum256(append([]byte(parts[0]+"\n"), bytes...))
	text := hex.EncodeToString(fingerprint[:])
	if text[:8] != parts[1] {
		return nil, "", errors.New("the key ID is of another key")
	}
	return bytes[len(keyType):], text, nil
}

func parseProof(proof []byte) (int64, tlog.RecordProof, string, error) {
	head, checkpoint, found := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return 0, nil, "", errors.New("malformed proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return 0, nil, "", err
	}
	var hashes tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, nil, "", err
		}
		hashes = append(hashes, hash)
	}
	return index, hashes, checkpoint, nil
}

func openCheckpoint(checkpoint string, logKey note.Verifier) (tlog.Tree, string, error) {
	opened, err := note.Open([]byte(checkpoint), note.VerifierList(logKey))
	if err != nil {
		return tlog.Tree{}, "", fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != logKey.Name() {
		return tlog.Tree{}, "", errors.New("a checkpoint of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, "", err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, opened.Text, err
}

// witness is a note.Verifier of C2SP's cosignature/v1.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
	at   uint64
}

func newWitness(vkey string) (*witness, error) {
	key, fingerprint, err := parseKey(vkey, []byte{0x04})
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseUint(fingerprint[:8], 16, 32)
	return &witness{name: strings.SplitN(vkey, "+", 2)[0], hash: uint32(id), key: key}, err
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }
func (w *witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	w.at = binary.BigEndian.Uint64(signature)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", w.at, text)
	return ed25519.Verify(w.key, []byte(message), signature[8:])
}

// checkTiles builds every tile of the log out of its leaves and compares paths and bytes.
func checkTiles(size int64, leaves [][]byte, tiles map[string][]byte) (int, error) {
	if len(leaves) == 0 {
		return 0, nil
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for n, leaf := range leaves {
		hashes, err := tlog.StoredHashes(int64(n), leaf, reader)
		if err != nil {
			return 0, err
		}
		stored = append(stored, hashes...)
	}
	expected := tlog.NewTiles(8, 0, size)
	for _, tile := range expected {
		data, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return 0, err
		}
		// Go's paths name the tile height, which C2SP fixes at 8.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		if !bytes.Equal(tiles[path], data) {
			return 0, fmt.Errorf("tile %s is missing or differs", path)
		}
	}
	if len(tiles) != len(expected) {
		return 0, fmt.Errorf("%d tiles instead of %d", len(tiles), len(expected))
	}
	return len(expected), nil
}

func toHashes(list [][]byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(list))
	for i, hash := range list {
		copy(hashes[i][:], hash)
	}
	return hashes
}
