package docker

import (
	"archive/tar"
	"errors"
	"io"
	"strings"

	"renga"
)

// The daemon unpacks an archive as root, and believes what it says. So it is given
// none but of what a disk has in it: whoever can write where backups are kept may
// have made one.

// copyTar writes an archive anew, entry by entry: so what is unpacked is what was
// looked at. It breaks off at whatever no disk has, and at more than is room for;
// most is 0 for room without end.
func copyTar(to io.Writer, from io.Reader, most int64) error {
	end := &tarEnd{}
	in, out := tar.NewReader(io.TeeReader(from, end)), tar.NewWriter(to)
	var sum int64
	for first := true; ; first = false {
		end.last = nil // zeros at the end of a file are not the end
		h, err := in.Next()
		if errors.Is(err, io.EOF) && !first && end.reached() {
			return out.Close()
		}
		if err != nil {
			return unreadable(err, first)
		}
		if err := checkEntry(h, first); err != nil {
			return err
		}
		sum += min(h.Size, 1<<60) + entryBytes
		if most > 0 && sum > most+most/8 { // file systems count otherwise
			return renga.Errorf(renga.Invalid, "The archive has more in it than there is room for on the disk, which has %d bytes. "+
				"Restore it into a disk of a larger plan.", most)
		}
		if err := copyEntry(out, in, h); err != nil {
			return err
		}
	}
}

// entryBytes is what a file takes besides its content, be it empty.
const entryBytes = 512

// unreadable is the error of an archive that is damaged, or whose reader failed.
func unreadable(err error, first bool) error {
	switch {
	case errors.Is(err, tar.ErrHeader) && !first:
		return renga.Errorf(renga.Invalid, "The archive is damaged. Take another one.")
	case first && (errors.Is(err, io.EOF) || errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)):
		return notOfDisk()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return renga.Errorf(renga.Invalid, "The archive is cut off: its end is missing. Take another one.")
	}
	return err
}

func notOfDisk() error {
	return renga.Errorf(renga.Invalid, "The archive is none of a disk: it must begin with the folder %s.", archiveDir[1:]+"/")
}

func copyEntry(out *tar.Writer, in *tar.Reader, h *tar.Header) error {
	if err := out.WriteHeader(h); err != nil {
		return renga.Errorf(renga.Invalid, "The archive has an entry %q that cannot be unpacked: %w", renga.Clip(h.Name, 100), err)
	}
	if _, err := io.Copy(out, in); err != nil {
		return unreadable(err, false)
	}
	return nil
}

// checkEntry is an error if no archive of a disk has such an entry. The first one is
// the disk's folder; whatever is not in that would be unpacked beside it.
func checkEntry(h *tar.Header, first bool) error {
	if first {
		if "/"+strings.TrimSuffix(h.Name, "/") != archiveDir || h.Typeflag != tar.TypeDir {
			return notOfDisk()
		}
		return nil
	}
	strange := ""
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeFifo:
	case tar.TypeLink:
		if !onDisk(h.Linkname) {
			strange = "a link to what is beside the disk"
		}
	case tar.TypeChar, tar.TypeBlock:
		strange = "a device"
	default:
		strange = "neither a file nor a folder nor a link"
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") { // a few bytes become as many as they say
			strange = "a file with holes"
		}
	}
	if !onDisk(h.Name) {
		strange = "beside the disk"
	}
	if strange == "" {
		return nil
	}
	return renga.Errorf(renga.Invalid, "The archive has an entry %q that is %s. Renga made no such archive; take another one.",
		renga.Clip(h.Name, 100), strange)
}

// onDisk tells whether a name in an archive is below the disk's folder, as it stands.
func onDisk(name string) bool {
	rest, below := strings.CutPrefix("/"+strings.TrimSuffix(name, "/"), archiveDir+"/")
	for segment := range strings.SplitSeq(rest, "/") {
		below = below && segment != "" && segment != "." && segment != ".."
	}
	return below
}
