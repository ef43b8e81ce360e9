package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"renga"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// A sealed stream is two bytes with the length of its key, big endian, the key,
// which the keyset has sealed, and Tink's stream: AES-256-GCM in segments of a
// megabyte, each with its number and the last one marked. So a part that was cut
// off, put elsewhere or changed is found out, though only when it is read.

// maxStreamKey bounds a stream's sealed key.
const maxStreamKey = 4 << 10

// SealStream gives a writer that seals what is written, bound to associated as in
// [Keyset.Seal], with a key of its own. The stream is whole once the writer is
// closed, and cannot be opened to its end if it never is.
func (k *Keyset) SealStream(to io.Writer, associated []byte) (io.WriteCloser, error) {
	handle, err := keyset.NewHandle(streamingaead.AES256GCMHKDF1MBKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make a stream's key: %w", err)
	}
	var key bytes.Buffer
	defer func() { clear(key.Bytes()) }()
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&key)); err != nil {
		return nil, fmt.Errorf("make a stream's key: %w", err)
	}
	sealed, err := k.Seal(key.Bytes(), streamKeyOf(associated))
	if err != nil {
		return nil, err
	}
	cipher, err := streamingaead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("seal a stream: %w", err)
	}
	if _, err := to.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(sealed))), sealed...)); err != nil {
		return nil, err
	}
	return cipher.NewEncryptingWriter(to, associated)
}

// OpenStream is the reverse of SealStream. All that is read is as it was sealed;
// only io.EOF says that it was all. Other errors are those of [Keyset.Open].
func (k *Keyset) OpenStream(from io.Reader, associated []byte) (io.Reader, error) {
	cipher, err := k.streamCipher(from, associated)
	if err != nil {
		return nil, err
	}
	r, err := cipher.NewDecryptingReader(from, associated)
	return &streamReader{r}, brokenStream(err)
}

// streamCipher reads a stream's key.
func (k *Keyset) streamCipher(from io.Reader, associated []byte) (tink.StreamingAEAD, error) {
	var length [2]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, brokenStream(err)
	}
	n := binary.BigEndian.Uint16(length[:])
	if n == 0 || n > maxStreamKey {
		return nil, brokenStream(errors.New("it does not begin with a key"))
	}
	sealed := make([]byte, n)
	if _, err := io.ReadFull(from, sealed); err != nil {
		return nil, brokenStream(err)
	}
	key, err := k.Open(sealed, streamKeyOf(associated))
	if err != nil {
		return nil, err
	}
	defer clear(key)
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(key)))
	if err != nil {
		return nil, brokenStream(errors.New("its key is none"))
	}
	return streamingaead.New(handle)
}

// streamKeyOf is what a stream's key is bound to: it opens no other stream.
func streamKeyOf(associated []byte) []byte { return append([]byte("stream key\x00"), associated...) }

type streamReader struct{ from io.Reader }

func (r *streamReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err == io.EOF {
		return n, err
	}
	return n, brokenStream(err)
}

func brokenStream(err error) error {
	if err == nil {
		return nil
	}
	return renga.Errorf(renga.Internal, "the sealed stream is broken: it was cut off or changed, or belongs elsewhere: %w", err)
}
