package redisserver

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"renga"
)

// maxSocketPath is what sockaddr_un holds, less the final NUL: see unix(7).
const maxSocketPath = 107

// process is a redis-server: a child of ours, or one adopted, of which only
// the socket is known.
type process struct {
	cmd      *exec.Cmd     // nil when adopted
	gone     chan struct{} // closed when the child ended, after err was set
	err      error         // how the child ended
	logStart int64         // where its part of the log begins
	socket   string
}

// launch starts a redis-server. The lock on its data is handed down to it: it
// is held for as long as the process lives, so that there never are two on
// the same files. Then the error is unix.EWOULDBLOCK.
func (s *Server) launch() (*process, error) {
	lock, err := os.OpenFile(filepath.Join(s.dir, "redis.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	defer func() { _ = lock.Close() }() // nothing was written
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock redis directory: %w", err)
	}
	out, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	defer func() { _ = out.Close() }() // only the child writes
	return s.spawn(lock, out)
}

func (s *Server) spawn(lock, out *os.File) (*process, error) {
	start, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	cmd := exec.Command(s.bin, s.args()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	cmd.Env = []string{"LC_ALL=C"} // Renga's environment holds secrets that are none of its business
	cmd.ExtraFiles = []*os.File{lock}
	// A group of its own: Ctrl-C is for Renga, which still needs it then.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	s.log.Info("started redis-server", "pid", cmd.Process.Pid, "socket", s.socket)
	p := &process{cmd: cmd, gone: make(chan struct{}), socket: s.socket, logStart: start}
	go p.reap() // ends with the child, which Run sees to
	return p, nil
}

func (p *process) reap() {
	p.err = p.cmd.Wait()
	close(p.gone)
}

// ended tells whether a child of ours is gone.
func (p *process) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// wait returns when the process or ctx ends, with how it ended.
func (p *process) wait(ctx context.Context) error {
	if p.cmd == nil {
		return p.waitAdopted(ctx)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.gone:
		return p.err
	}
}

// waitAdopted holds a connection, which breaks when the process ends.
func (p *process) waitAdopted(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", p.socket)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends the Read below
	defer stop()
	_, err = conn.Read(make([]byte, 1))
	return errors.Join(err, conn.Close())
}

// kill ends a child of ours that does not end otherwise.
func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill() // it may be gone, which is as well
	}
}

// errLoading is the answer of a redis-server that reads its files.
var errLoading = errors.New("loading")

// ping asks once whether the server is ready.
func (s *Server) ping(ctx context.Context) error {
	reply, err := s.command(ctx, "PING")
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(reply, "-LOADING"):
		return errLoading
	case reply != "+PONG":
		return fmt.Errorf("ping redis-server: %s", reply)
	}
	return nil
}

// shutdownCommand ends the server with its files in order. NOSAVE means no RDB
// file; the AOF is flushed all the same.
func (s *Server) shutdownCommand(ctx context.Context) error {
	reply, err := s.command(ctx, "SHUTDOWN NOSAVE")
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil // it is gone, or going
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("shut down redis-server: %s", reply)
}

// command sends an inline command on a new connection and reads one line.
func (s *Server) command(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // one question, one answer
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

// isNobody tells that no process listens on the socket.
func isNobody(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// socketPath is where the socket lies: in dir, or, when that path would be too
// long for a socket, in a directory of our own below the temporary one.
func socketPath(dir string) (string, error) {
	path := filepath.Join(dir, "redis.sock")
	if len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	short := filepath.Join(os.TempDir(), "renga-"+hex.EncodeToString(sum[:8]))
	path = filepath.Join(short, "redis.sock")
	if len(path) > maxSocketPath {
		return "", renga.Errorf(renga.Invalid, "The data directory's path %s is too long for a socket, and so is that of "+
			"TMPDIR; use a shorter one, or set REDIS_URL.", dir)
	}
	if err := os.Mkdir(short, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make directory for redis socket: %w", err)
	}
	return path, checkPrivate(short)
}

// checkPrivate makes sure that nobody else can have put a socket into dir.
func checkPrivate(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o077 != 0 || int(st.Uid) != os.Geteuid() {
		return renga.Errorf(renga.Invalid,
			"%s must be a directory that only Renga's user may enter; remove it, or set REDIS_URL.", dir)
	}
	return nil
}

// tail is the last line of a log, if it was written after offset start.
func tail(path string, start int64) string {
	b, err := os.ReadFile(path)
	if err != nil || int64(len(b)) <= start {
		return "(nothing)"
	}
	lines := strings.Split(strings.TrimSpace(string(b[start:])), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// escapePath makes a path fit for a URL.
func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }
