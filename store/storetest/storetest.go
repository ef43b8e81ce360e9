// Package storetest gives tests of other rooms a real store: one redis-server
// for the whole test binary, and in it a database of its own for each store.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"renga/children"
	"renga/store"
)

// Platform is the platform that every store here belongs to.
const Platform = "5b9cbb9f-2bd9-4a3f-9d1c-5c7d57a6c1b0"

// databases is how many stores one test binary may open.
const databases = 8192

// server is the one redis-server.
type server struct {
	dir  string
	cmd  *exec.Cmd
	next atomic.Int64 // database

	numbers sync.Map // store to its database
}

var shared = sync.OnceValues(start)

// Main is the TestMain of a package whose tests call New: it runs the tests,
// ends the server and gives the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if s, err := shared(); err == nil {
		_ = s.cmd.Process.Kill() // it keeps nothing
		_ = s.cmd.Wait()         // killed
		_ = os.RemoveAll(s.dir)  // a temporary directory: the system's to clear
	}
	return code
}

// New opens a store that nobody else uses, adopted by Platform. It is closed
// with the test binary.
func New() (*store.Store, error) {
	s, err := shared()
	if err != nil {
		return nil, err
	}
	db, _, err := s.open()
	if err != nil {
		return nil, err
	}
	return db, db.Adopt(context.Background(), Platform, true)
}

// Copy is New with all that another store of New's or Copy's has. That is sooner
// done than to write it again.
func Copy(from *store.Store) (_ *store.Store, err error) {
	s, err := shared()
	if err != nil {
		return nil, err
	}
	client, err := s.client(from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	db, n, err := s.open()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		return nil, err
	}
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Copy(ctx, key, key, n, false)
		}
		return nil
	})
	return db, err
}

// open opens a store on a database that nobody has used, and tells its number.
func (s *server) open() (*store.Store, int, error) {
	n := int(s.next.Add(1) - 1)
	if n >= databases {
		return nil, 0, fmt.Errorf("more than %d stores in one test binary", databases)
	}
	db, err := store.Open(context.Background(), store.Options{
		URL: "unix://" + s.socket() + "?pool_size=4&db=" + strconv.Itoa(n), Sealer: Sealer{},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, 0, err
	}
	s.numbers.Store(db, n)
	return db, n, nil
}

// client speaks with Redis about the database of a store.
func (s *server) client(db *store.Store) (*redis.Client, error) {
	n, ok := s.numbers.Load(db)
	if !ok {
		return nil, errors.New("this store was made neither by New nor by Copy")
	}
	return redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket(), DB: n.(int), PoolSize: 1}), nil
}

// Contents are the keys that a store of New's has, and all that is under them, so
// that a test can tell that nothing was written.
func Contents(ctx context.Context, db *store.Store) (_ map[string]string, err error) {
	s, err := shared()
	if err != nil {
		return nil, err
	}
	client, err := s.client(db)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		return nil, err
	}
	dumps := map[string]*redis.StringCmd{}
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			dumps[key] = p.Dump(ctx, key)
		}
		return nil
	})
	contents := map[string]string{}
	for key, dump := range dumps {
		contents[key] = dump.Val()
	}
	return contents, err
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }

func start() (*server, error) {
	dir, err := os.MkdirTemp("", "renga-redis-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", s.socket(), "--dir", dir,
		"--save", "", "--databases", strconv.Itoa(databases))
	if err := children.Start(s.cmd, syscall.SIGKILL); err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	if err := s.answers(); err != nil {
		return nil, errors.Join(err, s.cmd.Process.Kill(), os.RemoveAll(dir))
	}
	return s, nil
}

// answers waits until the server answers. That its socket is there says less:
// one that is bound and not listened on yet refuses connections.
func (s *server) answers() error {
	var err error
	for range 1000 {
		if err = s.ping(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond) // nobody tells
	}
	return fmt.Errorf("redis-server does not answer after ten seconds: %w", err)
}

func (s *server) ping() error {
	reply, err := Ping("unix", s.socket())
	if err == nil && reply != "+PONG" {
		err = fmt.Errorf("it answers %q", reply)
	}
	return err
}

// Sealer hides nothing from whoever knows it, but keeps plain text out of what
// is stored and minds what a secret is bound to.
type Sealer struct{}

// Seal implements [store.Sealer].
func (Sealer) Seal(plain, associated []byte) ([]byte, error) {
	sealed := slices.Concat(associated, []byte{0}, plain)
	slices.Reverse(sealed)
	return sealed, nil
}

// Open implements [store.Sealer].
func (Sealer) Open(sealed, associated []byte) ([]byte, error) {
	open := slices.Clone(sealed)
	slices.Reverse(open)
	plain, ok := bytes.CutPrefix(open, slices.Concat(associated, []byte{0}))
	if !ok {
		return nil, errors.New("the secret is bound to something else")
	}
	return plain, nil
}
