package docker

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	goruntime "runtime"

	"golang.org/x/sys/unix"

	"renga/docker"
)

// namespace is a container's network, for whoever may enter it.
type namespace struct{ *os.File }

// enter opens the network of a container whose first process has that number,
// and tries to enter it.
func enter(pid int, id string) (*namespace, error) {
	proc := docker.ProcessFolder(pid)
	f, err := os.Open(filepath.Join(proc, "ns", "net"))
	if err != nil {
		return nil, fmt.Errorf("the dyno's network cannot be seen from here: %w", err)
	}
	n := &namespace{f}
	// The file is what it was opened as, so that this may come after.
	if err = docker.Belongs(proc, id); err == nil {
		err = n.within(func() error { return nil })
	}
	if err != nil {
		_ = f.Close() // only read
		return nil, err
	}
	return n, nil
}

// within does something in the namespace. Sockets that it makes stay there. It
// must not leave the goroutine for them.
func (n *namespace) within(do func() error) error {
	done := make(chan error, 1)
	go func() {
		goruntime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The first thread never ends, and must not stay in there. While it is
			// held here, another has to do it.
			defer goruntime.UnlockOSThread()
			done <- n.within(do)
			return
		}
		// A thread that stays locked ends with its goroutine.
		if err := unix.Setns(int(n.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("the dyno's network cannot be entered from here: %w", err)
			return
		}
		done <- do()
	}()
	return <-done
}

// dial connects from within the namespace to an address, which is no name: for
// one address a dialer makes its socket where it is called.
func (n *namespace) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.within(func() (err error) {
		conn, err = (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
