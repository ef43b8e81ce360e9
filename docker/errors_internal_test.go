package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	cerrdefs "github.com/containerd/errdefs"

	"renga"
)

func testClient(t *testing.T) *Client {
	t.Helper()
	c, err := New(Options{Platform: "p", Host: "unix:///run/x.sock", Registry: "localhost:5000", PullToken: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFaultsAreSorted(t *testing.T) {
	client := testClient(t)
	for _, c := range []struct {
		err  error
		want renga.Kind
	}{
		{nil, ""},
		{io.EOF, renga.Unavailable},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), renga.Unavailable},
		{&net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}, renga.Unavailable},
		{context.DeadlineExceeded, renga.Unavailable},
		{fmt.Errorf("x: %w", cerrdefs.ErrUnavailable), renga.Unavailable},
		{fmt.Errorf("client version 1.41 is too old. Minimum …: %w", cerrdefs.ErrInvalidArgument), renga.Unavailable},
		{context.Canceled, renga.Internal},
		{errors.New("something else"), renga.Internal},
		{renga.Errorf(renga.Conflict, "known"), renga.Conflict},
	} {
		if got := renga.KindOf(client.fault(c.err)); got != c.want {
			t.Errorf("%v: kind %q; want %q", c.err, got, c.want)
		}
	}
}

func TestStartFaultsAreSorted(t *testing.T) {
	client := testClient(t)
	// Texts of Engine 20.10 and of 28.
	const (
		oci   = `OCI runtime create failed: `
		shim  = `failed to create shim task: ` + oci + `runc create failed: `
		task  = `failed to create task for container: ` + shim
		start = `unable to start container process: error during container init: `
	)
	for _, c := range []struct {
		text, says string
		want       renga.Kind
	}{
		{
			oci + `container_linux.go:380: starting container process caused: exec: "/bin/x": ` +
				`stat /bin/x: no such file or directory: unknown`, `"/bin/x"`, renga.Invalid,
		},
		{task + start + `exec: "/bin/x": permission denied: unknown`, "permission denied", renga.Invalid},
		{
			oci + `starting container process caused: exec: "/bin/x": executable file not found in $PATH: unknown`,
			"PATH", renga.Invalid,
		},
		{`standard_init_linux.go:228: exec user process caused: exec format error`, "platform", renga.Invalid},
		{`unable to find user nobody7: no matching entries in passwd file`, "USER", renga.Invalid},
		{`no available IPv4 addresses on this network's address pools: renga-1`, "scale", renga.Unavailable},
		{`mkdir /sys/fs/cgroup/cpu/docker/1: no such file or directory`, "cgroup", renga.Unavailable},
		{`error while creating mount source path: mkdir: permission denied`, "permission denied", renga.Unavailable},
		{`no space left on device`, "space", renga.Unavailable},
		{
			shim + start + `write /x: no space left on device: unknown`,
			"Docker does not start it: write /x", renga.Unavailable,
		},
		{
			shim + `Cwd must be an absolute path: unknown`,
			"Docker cannot run the image: Cwd must be an absolute path. Correct", renga.Invalid,
		},
		{
			shim + start + `environment variable name can't be empty: "=x": unknown`,
			`image: environment variable name can't be empty: "=x". C`, renga.Invalid,
		},
		{
			`cannot mount volume over existing file, file exists /var/lib/docker/overlay2/ec79/merged/file`,
			"file exists /file.", renga.Invalid,
		},
		{`Cannot mkdir: /file is not a directory`, "/file", renga.Invalid},
		{`uids and gids must be in range 0-2147483647`, "range", renga.Invalid},
		{`failed to create endpoint web on network renga-1: network id "x" not found`, "endpoint", renga.Unavailable},
	} {
		err := client.startFault(errors.New(c.text), "/bin/x")
		if got := renga.KindOf(err); got != c.want || !strings.Contains(renga.MessageOf(err, ""), c.says) {
			t.Errorf("%s\nis %q: %v; want %q with %q", c.text, got, err, c.want, c.says)
		}
	}
}

func TestAFaultOfTheImagesOwnCommandNamesNone(t *testing.T) {
	refused := errors.New(`OCI runtime create failed: exec: "/bin/x": permission denied: unknown`)
	err := testClient(t).startFault(refused, "")
	if got := renga.MessageOf(err, ""); !strings.HasPrefix(got, "The image's command cannot be run: permission denied.") {
		t.Errorf("it says %q", got)
	}
}

func TestPullFaultsAreSorted(t *testing.T) {
	client := testClient(t)
	for _, c := range []struct {
		err  error
		want renga.Kind
	}{
		{
			fmt.Errorf("manifest for localhost:5000/a@sha256:1 not found: manifest unknown: %w", cerrdefs.ErrNotFound),
			renga.Invalid,
		},
		{
			fmt.Errorf("pull access denied for a, repository does not exist: denied: no: %w", cerrdefs.ErrNotFound),
			renga.Invalid,
		},
		{
			fmt.Errorf("Head http://localhost:5000/v2/a: unauthorized: authentication required: %w", cerrdefs.ErrInternal),
			renga.Unavailable,
		},
		{
			fmt.Errorf("Get http://localhost:5000/v2/: dial tcp 127.0.0.1:5000: connect: connection refused: %w",
				cerrdefs.ErrInternal), renga.Unavailable,
		},
		{&pullError{"failed to register layer: write /x: no space left on device"}, renga.NoSpace},
		{&pullError{"manifest unknown"}, renga.Invalid},
		{
			&pullError{"failed to register layer: Error processing tar file(exit status 1): archive/tar: invalid tar header"},
			renga.Invalid,
		},
		{&pullError{"failed to register layer: unexpected EOF"}, renga.Invalid},
		{&pullError{"failed to register layer: read /x: input/output error"}, renga.Unavailable},
		{&pullError{"layers from manifest don't match image configuration"}, renga.Invalid},
		{&pullError{"filesystem layer verification failed for digest sha256:1"}, renga.Invalid},
		{&pullError{"unexpected EOF"}, renga.Unavailable},
		{io.ErrUnexpectedEOF, renga.Unavailable},
		{context.Canceled, renga.Internal},
	} {
		if got := renga.KindOf(client.pullFault(c.err, renga.Image{Digest: "sha256:0123456789abcdef"})); got != c.want {
			t.Errorf("%v: kind %q; want %q", c.err, got, c.want)
		}
	}
}

func TestFaultsOfPullsByNameAreSorted(t *testing.T) {
	client := testClient(t)
	for text, want := range map[string]renga.Kind{
		"pull access denied for x, repository does not exist or may require 'docker login': denied: no": renga.Invalid,
		"manifest for postgres:99 not found: manifest unknown: manifest unknown":                        renga.Invalid,
		"no matching manifest for linux/arm64/v8 in the manifest list entries":                          renga.Invalid,
		"toomanyrequests: You have reached your pull rate limit.":                                       renga.Unavailable,
		"failed to register layer: write /x: no space left on device":                                   renga.NoSpace,
		"failed to register layer: archive/tar: invalid tar header":                                     renga.Invalid,
		`Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host`:   renga.Unavailable,
		`Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout`:                       renga.Unavailable,
	} {
		for _, err := range []error{&pullError{text}, fmt.Errorf("%s: %w", text, cerrdefs.ErrInternal)} {
			got := client.namedPullFault(err, "postgres:15")
			if renga.KindOf(got) != want || !strings.Contains(got.Error(), `"postgres:15"`) || len(got.Error()) < 60 {
				t.Errorf("%s: %q, %v; want %q", text, renga.KindOf(got), got, want)
			}
		}
	}
	for _, err := range []error{context.Canceled, io.ErrUnexpectedEOF} {
		if got := client.namedPullFault(err, "x"); errors.Is(err, context.Canceled) != errors.Is(got, context.Canceled) {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestProgressIsReadToItsEndAndItsErrorFound(t *testing.T) {
	for stream, want := range map[string]string{
		``: "",
		`{"status":"Pulling"}{"status":"x","progressDetail":{"current":1}}`: "",
		`{"status":"Pulling"}` + "\r\n" +
			`{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}`: "manifest unknown",
		`{"error":"old style"}`:      "old style",
		`{"status":"Pulling"}{"stat`: "unexpected EOF",
	} {
		err := readProgress(strings.NewReader(stream), func(pullMessage) {})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", stream, err, want)
		}
	}
}

func FuzzReadProgress(f *testing.F) {
	f.Add(`{"status":"Pulling"}{"errorDetail":{"message":"m"},"error":"e"}`)
	f.Add(`{"error":7}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, stream string) {
		err := readProgress(strings.NewReader(stream), func(pullMessage) {})
		if strings.HasPrefix(stream, `{"error":"x"}`) && err == nil {
			t.Error("the error was not found")
		}
	})
}
