package builds

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	ignore "github.com/sabhiram/go-gitignore"

	"renga"
)

// maxUnpacked bounds the bytes that an archive unpacks to. Tests lower it.
var maxUnpacked int64 = 4 << 30

const (
	// maxEntries bounds its files, folders and links.
	maxEntries = 500_000
	// maxIgnoreBytes bounds .slugignore.
	maxIgnoreBytes = 64 << 10
	ignoreFile     = ".slugignore"
)

// archive is source code in a file, a tar or one that is compressed by gzip, that was
// looked through: all of it can be written into a build.
type archive struct {
	file string
	// root is the one folder that everything is in, if the root has nothing else, as in the
	// archives that GitHub makes; empty for the root itself.
	root   string
	ignore *ignore.GitIgnore // nil for nothing
	// names are the files in the tree's root that say how it is built.
	names map[string]bool
}

// openArchive looks through an archive. It is renga.Invalid, with the reason, if it cannot
// be built: paths that lead out of the tree, or through links, devices, too much of it.
func openArchive(file string) (*archive, error) {
	a := &archive{file: file, names: map[string]bool{}}
	var err error
	if a.root, err = commonRoot(file); err != nil {
		return nil, err
	}
	check := newTreeCheck()
	err = a.each(func(h *tar.Header, body io.Reader) error {
		if err := check.entry(h); err != nil {
			return err
		}
		if !strings.Contains(h.Name, "/") && h.Typeflag == tar.TypeReg {
			a.names[h.Name] = true
		}
		if h.Name == ignoreFile && h.Typeflag == tar.TypeReg {
			return a.readIgnore(body)
		}
		return nil
	})
	if err == nil && check.entries == 0 {
		err = renga.Errorf(renga.Invalid, "The archive is empty.")
	}
	return a, err
}

func (a *archive) readIgnore(body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, maxIgnoreBytes+1))
	switch {
	case err != nil:
		return unreadable(err)
	case len(text) > maxIgnoreBytes:
		return renga.Errorf(renga.Invalid, "%s is larger than %d bytes.", ignoreFile, maxIgnoreBytes)
	}
	a.ignore = ignore.CompileIgnoreLines(strings.Split(string(text), "\n")...)
	return nil
}

// WriteTo writes the tree into a tar, below a folder, owned by a user. What .slugignore
// names is left out.
func (a *archive) WriteTo(w *tar.Writer, folder string, uid, gid int) error {
	check := newTreeCheck() // the file is what it was, and still nothing is taken on trust
	return a.each(func(h *tar.Header, body io.Reader) error {
		if err := check.entry(h); err != nil {
			return err
		}
		if a.ignore != nil && a.ignore.MatchesPath(h.Name) {
			return nil
		}
		to := &tar.Header{
			Typeflag: h.Typeflag, Name: path.Join(folder, h.Name), Linkname: h.Linkname, Size: h.Size,
			Mode: h.Mode & 0o777, Uid: uid, Gid: gid, ModTime: h.ModTime,
		}
		switch h.Typeflag {
		case tar.TypeDir:
			to.Name += "/"
		case tar.TypeLink:
			if to.Linkname = path.Join(folder, h.Linkname); a.ignore != nil && a.ignore.MatchesPath(h.Linkname) {
				return renga.Errorf(renga.Invalid, "%s is a link to %s, which %s leaves out.",
					renga.Clip(h.Name, 100), renga.Clip(h.Linkname, 100), ignoreFile)
			}
		}
		if err := w.WriteHeader(to); err != nil {
			return err
		}
		_, err := io.Copy(w, body)
		return err
	})
}

// each gives every entry below the root, its name clean and relative to it.
func (a *archive) each(do func(h *tar.Header, body io.Reader) error) error {
	return eachEntry(a.file, func(h *tar.Header, body io.Reader) error {
		var below bool
		if h.Name, below = cutRoot(h.Name, a.root); !below {
			return nil
		}
		if h.Typeflag == tar.TypeLink {
			if h.Linkname, below = cutRoot(path.Clean(h.Linkname), a.root); !below {
				return refusal(h, "is a link out of the tree")
			}
		}
		return do(h, body)
	})
}

// cutRoot is a name relative to the root, if it is below it.
func cutRoot(name, root string) (string, bool) {
	if root == "" {
		return name, name != "."
	}
	return strings.CutPrefix(name, root+"/")
}

// commonRoot is the folder that all of an archive is in; empty if there is none.
func commonRoot(file string) (string, error) {
	root, many := "", false
	err := eachEntry(file, func(h *tar.Header, _ io.Reader) error {
		first, _, below := strings.Cut(h.Name, "/")
		switch {
		case h.Name == ".":
		case !below && h.Typeflag != tar.TypeDir, root != "" && first != root:
			many = true
		default:
			root = first
		}
		return nil
	})
	if many {
		root = ""
	}
	return root, err
}

// eachEntry gives every entry of an archive, its name clean.
func eachEntry(file string, do func(h *tar.Header, body io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open the source: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	unpacked, err := uncompressed(f)
	if err != nil {
		return err
	}
	bounded := &io.LimitedReader{R: unpacked, N: maxUnpacked}
	entries := tar.NewReader(bounded)
	for n := 0; ; n++ {
		h, err := entries.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case bounded.N <= 0 || n >= maxEntries:
			return renga.Errorf(renga.Invalid, "The archive unpacks to more than %d MB or %d files.", maxUnpacked>>20, maxEntries)
		case err != nil:
			return unreadable(err)
		case h.Typeflag == tar.TypeXGlobalHeader: // git archive notes the commit there
			continue
		}
		h.Name = path.Clean(h.Name)
		if path.IsAbs(h.Name) || h.Name == ".." || strings.HasPrefix(h.Name, "../") {
			return refusal(h, "leads out of the tree")
		}
		if err := do(h, entries); err != nil {
			return err
		}
	}
}

func unreadable(err error) error {
	return renga.Errorf(renga.Invalid, "The archive cannot be read; send a tar, or one that is compressed by gzip: %w", err)
}

// uncompressed reads a tar, whether it is compressed or not.
func uncompressed(f io.Reader) (io.Reader, error) {
	r := bufio.NewReader(f)
	magic, err := r.Peek(2)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return r, nil // what is wrong with it, tar tells
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, unreadable(err)
	}
	return z, nil
}

// refusal says what is wrong with an entry.
func refusal(h *tar.Header, why string) error {
	return renga.Errorf(renga.Invalid, "The archive cannot be built: %q %s.", renga.Clip(h.Name, 100), why)
}

// treeCheck makes sure that entries, written one after the other, make one tree, and
// write nowhere else.
type treeCheck struct {
	entries int
	kinds   map[string]byte // by name
}

func newTreeCheck() *treeCheck { return &treeCheck{kinds: map[string]byte{}} }

func (c *treeCheck) entry(h *tar.Header) error {
	refuse := func(why string) error { return refusal(h, why) }
	c.entries++
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeSymlink, tar.TypeDir:
	case tar.TypeLink:
		if c.kinds[h.Linkname] != tar.TypeReg {
			return refuse("is a link to what is no file before it")
		}
	default:
		return refuse("is neither a file, nor a folder, nor a link")
	}
	// What is a link now must not be written through, nor become one under what is there.
	for at := path.Dir(h.Name); at != "."; at = path.Dir(at) {
		if kind, there := c.kinds[at]; there && kind != tar.TypeDir {
			return refuse("is below what is no folder")
		}
		c.kinds[at] = tar.TypeDir
	}
	if kind, there := c.kinds[h.Name]; there && (kind != tar.TypeDir || h.Typeflag != tar.TypeDir) {
		return refuse("is there twice")
	}
	kind := h.Typeflag
	if kind == tar.TypeLink {
		kind = tar.TypeReg
	}
	c.kinds[h.Name] = kind
	return nil
}
