package git

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"renga"
)

const (
	// maxFiles is how many files a commit may have.
	maxFiles = 1_000_000
	// namedMost is how many of several things are named in a sentence.
	namedMost = 5
)

var errLFS = answer{
	http.StatusNotImplemented, "Git LFS is not supported here. With git push --no-verify the files' pointers are pushed, and built, " +
		"instead of the files.",
}

// inspect reads what a commit says of itself, and refuses what cannot be built.
func (s workspace) inspect(ctx context.Context, commit string, out io.Writer) (renga.BuildSource, error) {
	kind, err := s.output(ctx, 100, "cat-file", "-t", commit)
	if err != nil {
		return renga.BuildSource{}, errIncomplete
	}
	if kind = strings.TrimSpace(kind); kind != "commit" {
		return renga.BuildSource{}, renga.Errorf(renga.Invalid, "This is a %s, and a branch is at a commit. "+
			"Of a tag push its commit: git push heroku <tag>^{commit}:refs/heads/main", kind)
	}
	// A commit that is not whole git finds out, too, and asks its hook nevertheless.
	if _, err := s.output(ctx, 100, "rev-list", "--objects", "--quiet", commit, "--not", "--all"); err != nil {
		if ctx.Err() != nil {
			return renga.BuildSource{}, err
		}
		return renga.BuildSource{}, errIncomplete
	}
	source, err := s.describe(ctx, commit)
	if err != nil {
		return source, err
	}
	found, err := s.look(ctx, commit)
	if err != nil {
		return source, err
	}
	if len(found.submodules) > 0 {
		return source, renga.Errorf(renga.Invalid, "Submodules are not supported: %s. Have their files in the repository itself, "+
			"for instance with git subtree.", names(found.submodules))
	}
	if s.usesLFS(ctx, found.attributes) {
		fmt.Fprint(out, "\n !     Git LFS is not supported: of the files that it tracks, the pointers are built instead of the content.\n\n")
	}
	return source, nil
}

var errIncomplete = renga.Errorf(renga.Invalid, "The history of this commit is not complete. Push from a full clone; "+
	"git fetch --unshallow makes one of a shallow one.")

// describe reads a commit's author and message.
func (s workspace) describe(ctx context.Context, commit string) (renga.BuildSource, error) {
	text, err := s.output(ctx, 64<<10, "log", "-1", "--no-show-signature", "--no-color", "--encoding=UTF-8",
		"--format=%an%x00%ae%x00%B", commit, "--")
	if err != nil {
		return renga.BuildSource{}, err
	}
	parts := strings.SplitN(strings.ToValidUTF8(text, "?"), "\x00", 3)
	if len(parts) != 3 {
		return renga.BuildSource{}, fmt.Errorf("git describes commit %s as %q", commit, renga.Clip(text, 100))
	}
	message, _, _ := strings.Cut(strings.TrimSpace(parts[2]), "\n")
	return renga.BuildSource{
		Commit: commit, Author: oneLine(parts[0], 100) + " <" + oneLine(parts[1], 200) + ">", Message: oneLine(message, 500),
	}, nil
}

// oneLine is a text without control characters, clipped.
func oneLine(text string, most int) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	return renga.Clip(strings.TrimSpace(clean), most)
}

// contents are what is in a commit that matters before it is built.
type contents struct {
	submodules []string // paths
	attributes []string // ids of files .gitattributes
}

// look lists a commit's files.
func (s workspace) look(ctx context.Context, commit string) (contents, error) {
	var found contents
	err := s.scan(ctx, func(r io.Reader) error {
		files := bufio.NewScanner(r)
		files.Split(splitNUL)
		files.Buffer(nil, 1<<20) // paths may be long
		for n := 0; files.Scan(); n++ {
			if n == maxFiles {
				return renga.Errorf(renga.Invalid, "The commit has more than %d files.", maxFiles)
			}
			what, path, _ := strings.Cut(files.Text(), "\t") // <mode> <type> <id>
			fields := strings.Fields(what)
			switch {
			case len(fields) != 3:
				return fmt.Errorf("git lists a file as %q", what)
			case fields[1] == "commit" && len(found.submodules) <= namedMost:
				found.submodules = append(found.submodules, path)
			case fields[1] == "blob" && (path == ".gitattributes" || strings.HasSuffix(path, "/.gitattributes")):
				found.attributes = append(found.attributes, fields[2])
			}
		}
		return files.Err()
	}, "ls-tree", "-r", "-z", "--full-tree", commit)
	return found, err
}

// splitNUL splits at zero bytes.
func splitNUL(data []byte, atEnd bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEnd && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

var lfsFilter = regexp.MustCompile(`(?m)^[^#\n]*\sfilter=lfs(\s|$)`)

// usesLFS tells whether files are tracked by Git LFS. What cannot be read is no reason to
// refuse anything.
func (s workspace) usesLFS(ctx context.Context, attributes []string) bool {
	for _, id := range attributes[:min(len(attributes), 20)] {
		text, err := s.output(ctx, 64<<10, "cat-file", "blob", id)
		if err == nil && lfsFilter.MatchString(text) {
			return true
		}
	}
	return false
}

// names lists the first of some paths, for people.
func names(paths []string) string {
	var all []string
	for _, p := range paths[:min(len(paths), namedMost)] {
		all = append(all, oneLine(strings.ToValidUTF8(p, "?"), 100))
	}
	if len(paths) > namedMost {
		all = append(all, "and more")
	}
	return strings.Join(all, ", ")
}

// archive is a tar of a commit's tree, as git makes it while it is read.
type archive struct {
	*io.PipeReader
	stop  func()
	ended chan struct{}
	once  sync.Once
	err   error // once it has ended
}

// archive begins one; end it.
func (s workspace) archive(ctx context.Context, commit string, most int64) *archive {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	a := &archive{PipeReader: r, stop: cancel, ended: make(chan struct{})}
	go func() { // ends with the process
		defer close(a.ended)
		said := &capped{left: 1 << 10}
		cmd := s.command(ctx, "archive", "--format=tar", commit)
		limit := &bounded{w: w, left: most}
		cmd.Stdout, cmd.Stderr = limit, said
		err := run(ctx, cmd)
		if err != nil && renga.KindOf(err) == renga.Internal {
			err = fmt.Errorf("git archive: %w: %s", err, said.text())
		}
		if limit.exceeded {
			err = errLargeSource
		}
		a.err = err
		_ = w.CloseWithError(err) // it never fails
	}()
	return a
}

// end ends it, wherever it is, and tells what went wrong with it.
func (a *archive) end() error {
	a.once.Do(func() {
		a.stop()
		_ = a.Close() // it never fails
	})
	<-a.ended
	return a.err
}

var errLargeSource = renga.Errorf(renga.Invalid, "The source code is too large when it is unpacked.")

// bounded takes so many bytes and no more.
type bounded struct {
	w        io.Writer
	left     int64
	exceeded bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		b.exceeded = true
		return 0, errLargeSource
	}
	return b.w.Write(p)
}
