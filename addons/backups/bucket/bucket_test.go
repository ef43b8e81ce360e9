package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"renga"
	"renga/addons/backups"
	"renga/addons/backups/bucket"
	"renga/addons/backups/placetest"
	"renga/e2e/s3"
)

// server is one for all tests.
var server *s3.Server

func TestMain(m *testing.M) { os.Exit(withServer(m.Run)) }

func withServer(run func() int) int {
	bucket.SetTries(3)
	dir, err := os.MkdirTemp("", "renga-s3-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }() // a temporary directory: the system's to clear
		server, err = s3.Start(context.Background(), dir)
	}
	for _, pair := range s3.Env() {
		name, value, _ := strings.Cut(pair, "=")
		_ = os.Setenv(name, value) // which are names that can be set
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = server.Kill() }() // its folder goes, too
	return run()
}

// part is the smallest size of parts that servers take.
const part = 5 << 20

// open is a bucket with small parts.
func open(t *testing.T, o bucket.Options) *bucket.Bucket {
	t.Helper()
	if o.Endpoint == "" {
		o.Endpoint = server.Endpoint
	}
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := bucket.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.SetPart(part)
	return b
}

func makeBucket(t *testing.T) string {
	t.Helper()
	name := strings.ToLower("of-" + strings.NewReplacer("/", "-", "_", "-", ",", "").Replace(t.Name()))
	name = strings.Trim(name[:min(len(name), 60)], "-")
	if err := server.Make(name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestBucket(t *testing.T) {
	placetest.Run(t, func(t *testing.T) *placetest.Bench {
		name := makeBucket(t)
		o := bucket.Options{URL: bucket.Scheme + name + "/some/prefix", Folder: "platform"}
		return &placetest.Bench{
			Place: open(t, o), Part: part, Rest: bucket.Rest,
			Again: func(t *testing.T) backups.Place { return open(t, o) },
			Left: func(t *testing.T) []string {
				all, err := server.Files(name)
				if err != nil {
					t.Fatal(err)
				}
				return all
			},
		}
	})
}

// The keys' files that cannot be used, and those that are wrong, say so; so do a bucket that
// is missing and an endpoint that is away. None of it tells a key.
func TestFaultsSayWhatToDo(t *testing.T) {
	name := makeBucket(t)
	file := func(mode os.FileMode, text string) string {
		path := filepath.Join(t.TempDir(), "keys")
		if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	profile := func(key, secret string) string {
		return "[default]\naws_access_key_id = " + key + "\naws_secret_access_key = " + secret + "\n"
	}
	for what, c := range map[string]struct {
		o    bucket.Options
		want string
	}{
		"no bucket":       {bucket.Options{URL: "s3://there-is-none"}, "There is no bucket there-is-none for backups at " + server.Endpoint},
		"a wrong key":     {bucket.Options{Credentials: file(0o600, profile("nobody", s3.SecretKey))}, "expired (InvalidAccessKeyId)"},
		"a wrong secret":  {bucket.Options{Credentials: file(0o600, profile(s3.AccessKey, "m4rk3r"))}, "(SignatureDoesNotMatch): correct"},
		"another region":  {bucket.Options{Region: "eu-central-7"}, "is in another region"},
		"nobody there":    {bucket.Options{Endpoint: "http://" + deaf(t)}, "does not answer: check --s3-endpoint"},
		"no file":         {bucket.Options{Credentials: "/nowhere/keys"}, "is not there"},
		"an open file":    {bucket.Options{Credentials: file(0o640, profile(s3.AccessKey, s3.SecretKey))}, "run `chmod 600` on it"},
		"a file of noise": {bucket.Options{Credentials: file(0o600, "m4rk3r-noise\x00[")}, "has no aws_access_key_id"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if c.o.URL == "" {
				c.o.URL = bucket.Scheme + name
			}
			b := open(t, c.o)
			_, err := b.Open(t.Context(), "addon/backup.backup")
			f, err2 := b.Create(t.Context(), "addon/backup.backup")
			if err2 != nil {
				t.Fatal(err2)
			}
			for ask, err := range map[string]error{
				"reading": err, "writing": f.Commit(), "sweeping": b.Sweep(t.Context()), "removing": b.Remove(t.Context(), "addon/backup.backup"),
			} {
				text := fmt.Sprint(err)
				if renga.KindOf(err) != renga.Unavailable || !strings.Contains(text, c.want) || strings.Contains(text, "m4rk3r") {
					t.Errorf("%s says %q, of kind %s", ask, text, renga.KindOf(err))
				}
			}
		})
	}
}

// deaf is an address at which nobody listens.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// What this server never says, others do.
func TestCodesOfOtherServers(t *testing.T) {
	for code, c := range map[string]struct {
		kind renga.Kind
		want string
	}{
		"RequestTimeTooSkewed": {renga.Unavailable, "The clock of this machine"},
		"ExpiredToken":         {renga.Unavailable, "are wrong, or have expired (ExpiredToken)"},
		"AccessDenied":         {renga.Unavailable, "let them read, write and delete objects"},
		"XMinioStorageFull":    {renga.NoSpace, "is full: make room"},
		"PermanentRedirect":    {renga.Unavailable, "is in another region, eu-west-3: set --s3-region"},
		"SomethingElse":        {renga.Unavailable, "refuses the request (SomethingElse)"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-amz-bucket-region", "eu-west-3")
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>said so</Message></Error>", code) // the client sees
		}))
		f, err := open(t, bucket.Options{URL: "s3://some-bucket", Endpoint: s.URL, Region: "us-east-1"}).Create(t.Context(), "a/b")
		if err == nil {
			err = f.Commit()
		}
		if renga.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("at %s it says %q, of kind %s", code, err, renga.KindOf(err))
		}
		s.Close()
	}
}

// A reader goes on where its connection broke off, and never with another object.
func TestABrokenReadGoesOn(t *testing.T) {
	o := bucket.Options{URL: bucket.Scheme + makeBucket(t), Region: s3.Region}
	b := open(t, o)
	first, second := bytes.Repeat([]byte("first"), 1<<20), bytes.Repeat([]byte("other"), 1<<20)
	keep(t, b, first)
	breaking := breaker(t, 0, 700_000)
	o.Endpoint = breaking.URL
	file, err := open(t, o).Open(t.Context(), "addon/backup.backup")
	if err != nil {
		t.Fatal(err)
	}
	half := make([]byte, len(first)/2)
	if _, err := io.ReadFull(file, half); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(file)
	if got := append(half, rest...); err != nil || !bytes.Equal(got, first) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	file, err = open(t, o).Open(t.Context(), "addon/backup.backup")
	if err != nil {
		t.Fatal(err)
	}
	keep(t, b, second)
	if _, err := io.ReadAll(file); !strings.Contains(fmt.Sprint(err), "was replaced while it was read") {
		t.Errorf("reading on in another object: %v", err)
	}
}

// breaker is the server behind something that breaks the first answer off after so many bytes,
// and all later ones after so many.
func breaker(t *testing.T, first, after int64) *httptest.Server {
	t.Helper()
	var answers atomic.Int64
	at, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(at); r.Out.Host = r.In.Host },
		ErrorLog: log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			limit := after
			if answers.Add(1) == 1 {
				limit = first
			}
			if r.ContentLength <= limit {
				return nil
			}
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(r.Body, limit), iotest.ErrReader(io.ErrUnexpectedEOF)), r.Body}
			return nil
		},
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s
}

func keep(t *testing.T, b *bucket.Bucket, content []byte) {
	t.Helper()
	f, err := b.Create(t.Context(), "addon/backup.backup")
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = f.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A server that is killed ends the upload, which says so; once it is there again nothing is
// left of it.
func TestAServerThatIsKilled(t *testing.T) {
	own, err := s3.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, bucket.Options{URL: bucket.Scheme + s3.Bucket, Endpoint: own.Endpoint})
	f, err := b.Create(t.Context(), "addon/backup.backup")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 2*part+1)); err != nil {
		t.Fatal(err)
	}
	if err := own.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); !strings.Contains(fmt.Sprint(err), "does not answer") {
		t.Errorf("it ends with %v", err)
	}
	if err := own.Again(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = own.Kill() }() // its folder goes, too
	if left, err := own.Files(s3.Bucket); err != nil || len(left) == 0 {
		t.Fatalf("there is nothing to sweep: %v, %v", left, err)
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := own.Files(s3.Bucket); err != nil || len(left) != 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

// Parts are as large as what is to come needs, and no more than two are held.
func TestPartsAreLargeEnough(t *testing.T) {
	for most, want := range map[int64]int{
		1: 16 << 20, 100e9: 16 << 20, 1e12: 96 << 20, 0: 64 << 20,
	} {
		got := bucket.PartSize(most)
		if got != want || most > int64(got)*10_000 {
			t.Errorf("for %d bytes parts have %d MB", most, got>>20)
		}
	}
}

func TestURLsOfBuckets(t *testing.T) {
	for _, o := range []bucket.Options{
		{URL: "s3://"}, {URL: "s3:///prefix"}, {URL: "s3://Upper"}, {URL: "s3://bucket/../other"}, {URL: "s3://bucket/a//b"}, {URL: "/folder"},
		{URL: "s3://bucket", Endpoint: "s3.example.com"}, {URL: "s3://bucket", Endpoint: "https://host/path"},
		{URL: "s3://bucket", Endpoint: "https://user:word@host"}, {URL: "s3://bucket", Endpoint: "ftp://host"},
	} {
		if err := o.Check(); err == nil || strings.Contains(err.Error(), "word") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := (bucket.Options{URL: "s3://bucket/a/b/", Endpoint: "http://10.0.0.7:9000/"}).Check(); err != nil {
		t.Error(err)
	}
}
