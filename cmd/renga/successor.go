package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inheritedName is the variable that names the descriptors of listeners which
// were left open by the Renga before, separated by commas.
const inheritedName = "RENGA_INHERITED"

// successor is the Renga that takes this one's place, in the same process: a
// newer binary perhaps. SIGUSR2 asks for it. This one ends as ever, but its ports
// stay open: who connects meanwhile waits in the kernel's queue for as long as
// that takes, and nobody is refused. Two that work at once would be two
// writers of the data directory, and of the dynos.
type successor struct {
	listeners []listener
	fds       []int // of the listeners; nil until it is asked for
}

// await gives a context that ends with ctx, and when a successor is asked for.
func (n *successor) await(ctx context.Context) (context.Context, context.CancelFunc) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2) // for good: a second one must not kill what ends
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { // waited for by the function given back
		defer close(done)
		select {
		case <-ctx.Done():
		case <-asked:
			n.keep()
			stop()
		}
	}()
	return ctx, func() { stop(); <-done }
}

// keep holds on to the listeners beyond their being closed. One that cannot be
// held is opened anew, which somebody may notice.
func (n *successor) keep() {
	n.fds = []int{}
	for _, d := range n.listeners {
		l, ok := d.Listener.(*net.TCPListener)
		if !ok {
			continue
		}
		raw, err := l.SyscallConn()
		if err != nil {
			continue
		}
		_ = raw.Control(func(fd uintptr) { // fails for a closed one only
			if held, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); err == nil {
				n.fds = append(n.fds, held)
			}
		})
	}
}

// asked tells whether this Renga is to be followed by another.
func (n *successor) asked() bool { return n.fds != nil }

// Error says that the successor is still to be started, by start.
func (n *successor) Error() string { return "another Renga takes over" }

// start replaces this program by its successor; it comes back only when that
// fails.
func (n *successor) start() error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find my own binary: %w", err)
	}
	var names []string
	for _, fd := range n.fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("hand a listener over: %w", err)
		}
		names = append(names, strconv.Itoa(fd))
	}
	signal.Ignore(syscall.SIGUSR2) // until the next one listens to it
	env := append(os.Environ(), inheritedName+"="+strings.Join(names, ","))
	if err := unix.Exec(exe, os.Args, env); err != nil {
		return fmt.Errorf("start %s in my place: %w", exe, err)
	}
	return nil
}

// inherited opens the listeners that the Renga before has left, by address, out
// of what [inheritedName] holds: nothing at a first start.
func inherited(names string) (map[string]net.Listener, error) {
	all := map[string]net.Listener{}
	if err := os.Unsetenv(inheritedName); err != nil { // it is not for the programs that we start
		return nil, fmt.Errorf("forget %s: %w", inheritedName, err)
	}
	for name := range strings.SplitSeq(names, ",") {
		fd, err := strconv.Atoi(name)
		if names == "" || err != nil {
			continue
		}
		l, err := listenerOf(fd)
		if err != nil {
			return nil, fmt.Errorf("take over listener %d: %w", fd, err)
		}
		all[l.Addr().String()] = l
	}
	return all, nil
}

func listenerOf(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "inherited listener")
	if f == nil {
		return nil, os.ErrInvalid
	}
	l, err := net.FileListener(f) // with a descriptor of its own
	return l, errors.Join(err, f.Close())
}

// take gives the inherited listener that has an address, if one has.
func take(inherited map[string]net.Listener, address string) (net.Listener, bool) {
	wanted, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, false
	}
	for name, l := range inherited {
		at, ok := l.Addr().(*net.TCPAddr)
		same := ok && at.Port == wanted.Port && (at.IP.Equal(wanted.IP) || isUnspecified(at.IP) && isUnspecified(wanted.IP))
		if same {
			delete(inherited, name)
			return l, true
		}
	}
	return nil, false
}

func isUnspecified(ip net.IP) bool { return len(ip) == 0 || ip.IsUnspecified() }
