package bucket

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"time"

	"github.com/minio/minio-go/v7"

	"renga"
)

const (
	// maxParts is how many parts an upload may have; Amazon's bound is everybody's.
	maxParts = 10_000
	// minPart is the smallest size of parts, and freePart that without a bound of the
	// whole. All parts but the last have one size: some servers insist on that.
	minPart  = 16 << 20
	freePart = 64 << 20
	// partLimit bounds sending a part: 20 kB a second.
	partLimit = 15 * time.Minute
	// sealed is how much larger than its dump an object may be, in thousandths.
	sealed = 5
)

// partSize is the size of parts with which an object of a size can be uploaded.
func partSize(most int64) int {
	if most <= 0 {
		return freePart
	}
	most += most * sealed / 1000
	const round = 1 << 20
	return max(minPart, int((most/maxParts+round)/round*round))
}

// upload is an object that is being made. One part is sent while the next one fills.
type upload struct {
	b         *Bucket
	ctx       context.Context //nolint:containedctx // of the whole: what is written to gets none
	end       context.CancelFunc
	name, key string

	id          string // of the upload in parts; empty until the first one is full
	fill, spare []byte
	sending     chan sent // the part under way; nil for none
	parts       []minio.CompletePart
}

// sent is what became of a part.
type sent struct {
	part minio.ObjectPart
	err  error
}

// Write implements [io.Writer].
func (u *upload) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := u.add(p)
		written, p = written+n, p[n:]
		if len(u.fill) == u.b.part {
			if err := u.send(); err != nil {
				return written, u.b.explain(err)
			}
		}
	}
	return written, u.ctx.Err()
}

// add fills the part as far as it goes. It grows with what comes: most backups are small.
func (u *upload) add(p []byte) int {
	n := min(len(p), u.b.part-len(u.fill))
	if need := len(u.fill) + n; need > cap(u.fill) {
		larger := make([]byte, len(u.fill), min(u.b.part, max(need, 2*cap(u.fill))))
		copy(larger, u.fill)
		u.fill = larger
	}
	u.fill = append(u.fill, p[:n]...)
	return n
}

// send begins to send what is filled, once the part before is there.
func (u *upload) send() error {
	if err := u.await(); err != nil {
		return err
	}
	number := len(u.parts) + 1
	if number > maxParts {
		return renga.Errorf(renga.Invalid, "The backup is larger than %d MB, which is all that a bucket takes in parts of %d MB. Set "+
			"--max-backup-size to its size, so that parts are larger.", maxParts*(u.b.part>>20), u.b.part>>20)
	}
	if u.id == "" {
		ctx, cancel := context.WithTimeout(u.ctx, askLimit)
		defer cancel()
		id, err := u.b.client.NewMultipartUpload(ctx, u.b.bucket, u.key, minio.PutObjectOptions{ContentType: contentType})
		if err != nil {
			return err
		}
		u.id = id
	}
	body, done := u.fill, make(chan sent, 1)
	u.fill, u.spare, u.sending = u.spare[:0], body, done
	go func() {
		ctx, cancel := context.WithTimeout(u.ctx, partLimit)
		defer cancel()
		part, err := u.b.client.PutObjectPart(ctx, u.b.bucket, u.key, u.id, number, bytes.NewReader(body), int64(len(body)),
			minio.PutObjectPartOptions{Md5Base64: sum(body)})
		done <- sent{part, err}
	}()
	return nil
}

const contentType = "application/octet-stream"

// sum has the other end check what it got, whichever protocol is below.
func sum(body []byte) string {
	digest := md5.Sum(body)
	return base64.StdEncoding.EncodeToString(digest[:])
}

// await waits for the part under way.
func (u *upload) await() error {
	if u.sending == nil {
		return nil
	}
	s := <-u.sending
	u.sending = nil
	if s.err == nil {
		u.parts = append(u.parts, minio.CompletePart{PartNumber: s.part.PartNumber, ETag: s.part.ETag})
	}
	return s.err
}

// Commit implements [backups.File].
func (u *upload) Commit() error {
	err := u.complete()
	if err == nil {
		u.end()
		return nil
	}
	// Nobody knows whether what was not answered was done.
	u.Abort()
	if err2 := u.b.Remove(context.WithoutCancel(u.ctx), u.name); err2 != nil {
		u.left(err2)
	}
	return u.b.explain(err)
}

func (u *upload) complete() error {
	ctx, cancel := context.WithTimeout(u.ctx, partLimit)
	defer cancel()
	if u.id == "" { // it is small
		_, err := u.b.client.PutObject(ctx, u.b.bucket, u.key, bytes.NewReader(u.fill), int64(len(u.fill)), sum(u.fill), "",
			minio.PutObjectOptions{ContentType: contentType})
		return err
	}
	if len(u.fill) > 0 {
		if err := u.send(); err != nil {
			return err
		}
	}
	if err := u.await(); err != nil {
		return err
	}
	_, err := u.b.client.CompleteMultipartUpload(ctx, u.b.bucket, u.key, u.id, u.parts, minio.PutObjectOptions{})
	return err
}

// Abort implements [backups.File].
func (u *upload) Abort() {
	u.end()
	_ = u.await() // it has broken off
	if u.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), askLimit)
	defer cancel()
	err := u.b.client.AbortMultipartUpload(ctx, u.b.bucket, u.key, u.id)
	if err != nil && codeOf(err) != minio.NoSuchUpload {
		u.left(u.b.explain(err))
	}
}

// left says that parts are left behind, which the next start removes.
func (u *upload) left(err error) {
	u.b.log.Warn("parts of a backup may be left in the bucket until the next start", "object", u.key, "err", err)
}
