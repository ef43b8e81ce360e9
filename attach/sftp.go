package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"renga"
)

// Over SFTP a client copies files out of a dyno. It asks for pieces in any order, at
// its own pace. The engine gives a file once, from its beginning, and does not wait.
// So each file is first copied to the spool: a file without a name, which the kernel
// removes when it is closed.

// Files are the files of a running dyno.
type Files interface {
	// Home is where relative paths begin.
	Home() string
	// Open opens a file by its absolute path.
	Open(ctx context.Context, path string) (fs.File, error)
}

const (
	// maxCopy bounds one file.
	maxCopy = 1 << 30
	// maxSpooled bounds the files that are copied at once.
	maxSpooled = 8
)

// serveSFTP serves a client that asks for a subsystem; SFTP is the only one.
func (d *Server) serveSFTP(ctx context.Context, v SSHAccess, c *sshClient, r *ssh.Request) {
	d.relays.Add(1)
	defer d.relays.Done()
	defer func() { _ = c.Close() }() // the client may have
	var payload struct{ Name string }
	if ssh.Unmarshal(r.Payload, &payload) != nil || payload.Name != "sftp" {
		reply(r, false)
		return
	}
	files, err := v.Files(ctx)
	reply(r, err == nil)
	if err != nil {
		d.Log.Warn("files of a dyno cannot be copied", "app", v.App, "dyno", v.Dyno, "err", err)
		return
	}
	go ssh.DiscardRequests(c.asked) // ends with the channel
	stop := c.idle.start(d.Idle, func() { _ = c.Close() })
	defer stop()
	open := func(path string) (fs.File, error) { return files.Open(ctx, path) }
	s := &sftpFiles{server: d, access: v, open: open, opened: map[string]fs.FileInfo{}}
	err = sftp.NewRequestServer(c, sftp.Handlers{FileGet: s, FilePut: s, FileCmd: s, FileList: s},
		sftp.WithStartDirectory(files.Home())).Serve()
	d.Log.Debug("files of a dyno were copied", "app", v.App, "dyno", v.Dyno, "reason", err)
}

// sftpFiles gives a dyno's files to the library's SFTP server.
type sftpFiles struct {
	server *Server
	access SSHAccess
	open   func(path string) (fs.File, error)

	mu     sync.Mutex
	opened map[string]fs.FileInfo // by path: what was opened, whatever became of it
}

// Fileread opens a file.
func (s *sftpFiles) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	f, err := s.open(r.Filepath)
	if err != nil {
		return nil, s.clientError(err)
	}
	spooled, info, err := s.server.spool(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, s.clientError(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened[r.Filepath] = info
	return spooled, nil
}

// Filelist gives the information on one file; on an opened one, that of the moment
// when it was opened: the client must not wait for more than the spool has.
func (s *sftpFiles) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method != "Stat" {
		return nil, renga.Errorf(renga.Invalid, "Folders cannot be listed; name a file.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if info, ok := s.opened[r.Filepath]; ok {
		return singleFile{info}, nil
	}
	f, err := s.open(r.Filepath)
	if err != nil {
		return nil, s.clientError(err)
	}
	info, err := f.Stat()
	return singleFile{info}, errors.Join(err, f.Close())
}

var errReadOnly = renga.Errorf(renga.Invalid,
	"Files can be copied from a dyno, and not to it or within it; a dyno's files are gone with it.")

// Filewrite is refused.
func (s *sftpFiles) Filewrite(*sftp.Request) (io.WriterAt, error) { return nil, errReadOnly }

// Filecmd is refused.
func (s *sftpFiles) Filecmd(*sftp.Request) error { return errReadOnly }

// clientError is err in words that a client may read.
func (s *sftpFiles) clientError(err error) error {
	s.server.Log.Info("file of a dyno is not copied", "app", s.access.App, "dyno", s.access.Dyno, "err", err)
	if renga.KindOf(err) == renga.NotFound {
		return fs.ErrNotExist
	}
	return errors.New(renga.MessageOf(err, "The file could not be read for a reason that is in Renga's log."))
}

// singleFile is a listing of one file.
type singleFile struct{ info fs.FileInfo }

// ListAt gives the file.
func (o singleFile) ListAt(to []fs.FileInfo, from int64) (int, error) {
	if from > 0 {
		return 0, io.EOF
	}
	return copy(to, []fs.FileInfo{o.info}), io.EOF
}

// spooled is a whole copy of a file.
type spooled struct {
	*os.File
	done func()
}

// Close removes the copy.
func (s *spooled) Close() error {
	s.done()
	return s.File.Close()
}

// spool copies a file.
func (d *Server) spool(f fs.File) (*spooled, fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > maxCopy {
		return nil, nil, renga.Errorf(renga.Invalid, "It has %d MB, and at most %d MB can be copied.", info.Size()>>20,
			maxCopy>>20)
	}
	if err := d.CheckSpace(info.Size()); err != nil {
		return nil, nil, err
	}
	select {
	case d.spools <- struct{}{}:
	default:
		return nil, nil, renga.Errorf(renga.Unavailable, "%d files are copied already; wait until one has ended.", maxSpooled)
	}
	s := &spooled{done: sync.OnceFunc(func() { <-d.spools })}
	if s.File, err = unlinkedFile(d.Spool); err == nil {
		if _, err = io.Copy(s.File, f); err == nil {
			return s, info, nil
		}
	}
	return nil, nil, errors.Join(err, s.Close())
}

// unlinkedFile makes a file without a name, which is gone when it is closed, even by
// a crash.
func unlinkedFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "copied-")
	if err != nil {
		return nil, fmt.Errorf("make room for a copy: %w", err)
	}
	return f, os.Remove(f.Name())
}
