package bucket

import (
	"context"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	// readLimit is how long nothing may come before the object is asked for again.
	readLimit = time.Minute
	// maxBreaks is how often in a row that may be in vain.
	maxBreaks = 5
)

// download is an object that is being read. Whoever reads may be slow, for a database
// takes its time, and servers end what is idle: then it goes on from there.
type download struct {
	b   *Bucket
	ctx context.Context //nolint:containedctx // of the whole: what is read from gets none
	key string

	body   io.ReadCloser
	end    context.CancelFunc
	opened bool
	etag   string // of what was opened first; no other is gone on with. Empty where a server has none
	at     int64
	size   int64
	breaks int
}

// open opens it from where it broke off.
func (d *download) open() error {
	var o minio.GetObjectOptions
	if d.etag != "" {
		if err := o.SetMatchETag(d.etag); err != nil {
			return err
		}
	}
	if d.at > 0 { // a range from 0 on would be one byte
		if err := o.SetRange(d.at, 0); err != nil {
			return err
		}
	}
	ctx, end := context.WithCancel(d.ctx)
	body, info, _, err := d.b.client.GetObject(ctx, d.b.bucket, d.key, o)
	if err != nil {
		end()
		return err
	}
	if !d.opened {
		d.opened, d.etag, d.size = true, info.ETag, info.Size
	}
	d.body, d.end = body, end
	return nil
}

// Read implements [io.Reader].
func (d *download) Read(p []byte) (int, error) {
	for {
		if d.at >= d.size {
			return 0, io.EOF
		}
		n, err := d.read(p)
		d.at += int64(n)
		if n > 0 {
			d.breaks = 0
			return n, nil
		}
		if err == nil {
			continue
		}
		if err := d.resume(err); err != nil {
			return 0, d.b.explain(err)
		}
	}
}

// read reads what comes in time.
func (d *download) read(p []byte) (int, error) {
	if d.body == nil {
		return 0, io.ErrUnexpectedEOF
	}
	idle := time.AfterFunc(readLimit, d.end)
	defer idle.Stop()
	return d.body.Read(p)
}

// resume opens it anew after it broke off, until that was in vain too often.
func (d *download) resume(why error) error {
	_ = d.Close() // it has broken off
	for d.ctx.Err() == nil {
		if d.breaks++; d.breaks > maxBreaks {
			return why
		}
		select {
		case <-d.ctx.Done():
		case <-time.After(time.Duration(d.breaks-1) * time.Second):
		}
		if why = d.open(); why == nil || !mayPass(why) {
			return why
		}
	}
	return d.ctx.Err()
}

// Close implements [io.Closer].
func (d *download) Close() error {
	if d.body == nil {
		return nil
	}
	err := d.body.Close()
	d.end()
	d.body = nil
	return err
}
