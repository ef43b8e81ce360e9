// Package s3 starts a server of Amazon's S3 protocol for tests: the Versity gateway, which
// checks signatures as Amazon does, and keeps objects as files in a folder. It is made of
// a module of its own, so that nothing of it is a library of Renga.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"renga/children"
)

// What lets in at a server.
const (
	AccessKey = "renga-test-access-key"
	SecretKey = "m4rk3r-renga-test-secret-key"
	Bucket    = "renga-backups"
	Region    = "us-east-1"
)

// Server has one bucket.
type Server struct {
	Endpoint string // http://127.0.0.1:12345
	dir      string // of buckets
	users    string // of further users, of which there are none
	program  string
	running  *exec.Cmd
	ended    chan error
	said     bytes.Buffer
}

// Start builds the program, unless that was done before, and starts a server that keeps its
// bucket in a folder below dir.
func Start(ctx context.Context, dir string) (*Server, error) {
	program, err := build(ctx)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Endpoint: "http://" + l.Addr().String(), dir: filepath.Join(dir, "buckets"), users: filepath.Join(dir, "users"), program: program,
	}
	if err := errors.Join(l.Close(), os.MkdirAll(s.users, 0o700)); err != nil {
		return nil, err
	}
	if err := s.Make(Bucket); err != nil {
		return nil, err
	}
	return s, s.Again(ctx)
}

// Make makes a bucket.
func (s *Server) Make(bucket string) error { return os.MkdirAll(filepath.Join(s.dir, bucket), 0o700) }

// Again starts it at the same address, with what it has kept, after it was killed.
func (s *Server) Again(ctx context.Context) error {
	s.said.Reset()
	s.running = exec.Command(s.program, "--quiet", "--region", Region, "--port", strings.TrimPrefix(s.Endpoint, "http://"),
		"--iam-dir", s.users, "posix", s.dir)
	s.running.Env = []string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey}
	s.running.Stdout, s.running.Stderr = &s.said, &s.said
	if err := children.Start(s.running, syscall.SIGKILL); err != nil {
		return err
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.running.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !s.answers(ctx) {
		select {
		case err := <-s.ended:
			return fmt.Errorf("the S3 server ended: %w\n%s", err, s.said.String())
		case <-ctx.Done():
			return fmt.Errorf("the S3 server does not answer: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (s *Server) answers(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint, nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close() // that there is an answer is enough
	return true
}

// Kill ends it as a crash does.
func (s *Server) Kill() error {
	err := s.running.Process.Kill()
	if ended := <-s.ended; ended == nil {
		err = errors.Join(err, errors.New("the S3 server ended by itself"))
	}
	return err
}

// Env is what lets a program in.
func Env() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey}
}

// Files are all that a bucket has on the disk, with the parts of uploads under way.
func (s *Server) Files(bucket string) ([]string, error) {
	var all []string
	root := filepath.Join(s.dir, bucket)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(root, path) // it is below it
			all = append(all, name)
		}
		return err
	})
	return all, err
}

// build makes the program of the module's versions, once for all tests of this machine.
func build(ctx context.Context) (string, error) {
	dir, err := output(ctx, "go", "list", "-f", "{{.Dir}}", "renga/e2e/s3")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(strings.TrimSpace(dir), "server")
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(sums)
	program := filepath.Join(cache, "renga-e2e", "versitygw-"+hex.EncodeToString(digest[:8]))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	made := fmt.Sprintf("%s.%d", program, os.Getpid())
	_, err = output(ctx, "go", "build", "-C", dir, "-buildvcs=false", "-ldflags=-s -w", "-o", made,
		"github.com/versity/versitygw/cmd/versitygw")
	if err != nil {
		return "", err
	}
	return program, os.Rename(made, program)
}

func output(ctx context.Context, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, said.String())
	}
	return string(out), nil
}
