package storetest

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestASocketThatIsBoundIsNoServer: between the two steps of a server's start
// its socket is there and refuses; the wait goes on until it is answered.
func TestASocketThatIsBoundIsNoServer(t *testing.T) {
	s := &server{dir: t.TempDir()}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(s.dir, "s")}); err != nil {
		t.Fatal(err)
	}
	ready := make(chan error, 1)
	go func() { ready <- s.answers() }()
	select {
	case err := <-ready:
		t.Fatalf("a socket that nobody listens on passed for a server: %v", err)
	case <-time.After(50 * time.Millisecond): // that it goes on waiting takes no time
	}
	if err := unix.Listen(fd, 8); err != nil {
		t.Fatal(err)
	}
	client, _, err := unix.Accept(fd)
	if err != nil {
		t.Fatal(err)
	}
	answer(t, client, "-LOADING Redis is loading the dataset in memory\r\n")
	if client, _, err = unix.Accept(fd); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ready:
		t.Fatalf("a server that is loading passed for one that answers: %v", err)
	default:
	}
	answer(t, client, "+PONG\r\n")
	if err := <-ready; err != nil {
		t.Error(err)
	}
}

// answer reads a client's question, says one thing, and hangs up.
func answer(t *testing.T, client int, line string) {
	t.Helper()
	if _, err := unix.Read(client, make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(client, []byte(line)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(client); err != nil {
		t.Fatal(err)
	}
}
