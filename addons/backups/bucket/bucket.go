// Package bucket keeps backups in a bucket that speaks the protocol of Amazon S3: of
// Amazon itself, MinIO, Garage, Ceph and others.
//
// A backup is uploaded in parts while it is made, for nobody knows its size before, and
// two parts of it are in memory at most. It is an object once the upload is completed;
// one that was begun and never completed is aborted.
package bucket

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"renga/addons/backups"
)

// Scheme is what the URL of a bucket begins with.
const Scheme = "s3://"

// DefaultEndpoint is Amazon's.
const DefaultEndpoint = "https://s3.amazonaws.com"

// Options say which bucket it is, and how it is reached.
type Options struct {
	// URL names the bucket, and a prefix perhaps: s3://bucket/prefix.
	URL string
	// Endpoint is an http or https URL without a path; empty for Amazon's. Amazon's
	// buckets are addressed by host names, all others' by paths.
	Endpoint string
	// Region is the bucket's; empty to ask the endpoint for it.
	Region string
	// Credentials is a file of access keys in the form of Amazon's shared credentials,
	// which only its owner may read. It is read for each request, so that keys can be
	// replaced. Empty for AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN
	// of the environment.
	Credentials string
	// Folder is below the prefix: several platforms may have one bucket.
	Folder string
	// MaxBytes is how large an object may become; 0 for whatever parts of 64 MB allow.
	MaxBytes int64
	Log      *slog.Logger
}

// Bucket is a [backups.Place].
type Bucket struct {
	client       minio.Core
	endpoint     string
	bucket, root string
	part         int
	log          *slog.Logger
}

var _ backups.Place = (*Bucket)(nil)

// Check is an error if the options cannot be right, whatever there is.
func (o Options) Check() error {
	_, err := New(o)
	return err
}

// New makes a Bucket. Nothing is asked for yet.
func New(o Options) (*Bucket, error) {
	bucket, prefix, err := split(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	at, err := url.Parse(o.Endpoint)
	if err != nil || (at.Scheme != "https" && at.Scheme != "http") || at.Host == "" || strings.Trim(at.Path, "/") != "" ||
		at.User != nil || at.RawQuery != "" {
		return nil, fmt.Errorf("the endpoint must be https://host or http://host, with a port perhaps, and nothing more")
	}
	client, err := minio.NewCore(at.Host, &minio.Options{
		Creds: credentials.New(keys{o.Credentials}), Secure: at.Scheme == "https", Region: o.Region, MaxRetries: maxTries,
	})
	if err != nil {
		return nil, fmt.Errorf("the endpoint %s cannot be used: %w", o.Endpoint, err)
	}
	return &Bucket{
		client: *client, endpoint: at.Scheme + "://" + at.Host, bucket: bucket, root: path.Join(prefix, o.Folder),
		part: partSize(o.MaxBytes), log: o.Log,
	}, nil
}

// maxTries is how often a request is made that may go well another time, with growing
// pauses of up to a second.
var maxTries = 10

// split reads the URL of a bucket.
func split(text string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(text, Scheme)
	bucket, prefix, _ = strings.Cut(rest, "/")
	prefix = strings.Trim(prefix, "/")
	if !ok || s3utils.CheckValidBucketNameStrict(bucket) != nil {
		return "", "", fmt.Errorf("%q is no %sbucket/prefix, or no bucket can be called so", text, Scheme)
	}
	if prefix != "" && (path.Clean("/"+prefix) != "/"+prefix || s3utils.CheckValidObjectNamePrefix(prefix) != nil) {
		return "", "", fmt.Errorf("%q has a prefix that no object can have", text)
	}
	return bucket, prefix, nil
}

// Object is a Bucket of the options and the name of one object in it, for a URL such as
// s3://bucket/prefix/object.
func Object(o Options) (*Bucket, string, error) {
	bucket, object, err := split(o.URL)
	if err != nil {
		return nil, "", err
	}
	if object == "" {
		return nil, "", fmt.Errorf("%q names no object of the bucket", o.URL)
	}
	o.URL, o.Folder = Scheme+bucket, ""
	b, err := New(o)
	return b, object, err
}

func (b *Bucket) key(name string) string { return path.Join(b.root, name) }

// askLimit bounds one request that carries no content.
const askLimit = 30 * time.Second

// Create implements [backups.Place].
func (b *Bucket) Create(ctx context.Context, name string) (backups.File, error) {
	ctx, end := context.WithCancel(ctx)
	return &upload{b: b, ctx: ctx, end: end, name: name, key: b.key(name)}, nil
}

// Open implements [backups.Place].
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	d := &download{b: b, ctx: ctx, key: b.key(name)}
	if err := d.open(); err != nil {
		return nil, b.explain(err)
	}
	return d, nil
}

// Remove implements [backups.Place].
func (b *Bucket) Remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	err := b.client.RemoveObject(ctx, b.bucket, b.key(name), minio.RemoveObjectOptions{})
	if err == nil { // some list an upload only by the whole name of its object
		err = b.client.RemoveIncompleteUpload(ctx, b.bucket, b.key(name))
	}
	return b.explain(err)
}

// Sweep implements [backups.Place].
func (b *Bucket) Sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	prefix := b.root
	if prefix != "" {
		prefix += "/"
	}
	const recursively = true
	for u := range b.client.ListIncompleteUploads(ctx, b.bucket, prefix, recursively) {
		err := u.Err
		if err == nil {
			err = b.client.AbortMultipartUpload(ctx, b.bucket, u.Key, u.UploadID)
		}
		if err != nil && codeOf(err) != minio.NoSuchUpload {
			return b.explain(err)
		}
	}
	return nil
}
