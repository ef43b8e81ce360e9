package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// journal says what a test run has outside of itself, so that a later run can
// remove it when this one was killed. Its process holds it locked: who gets the
// lock knows that the run is over. It lies in the user's cache, which a restart
// of the machine leaves alone. Nil keeps nothing.
type journal struct {
	dir, name string // of the run's temporary files; of the journal itself

	mu   sync.Mutex // one writes at a time
	file *os.File
}

// entry is one line of a journal. The last one about a platform counts.
type entry struct {
	Dir      string  `json:",omitempty"` // of all temporary files of the run
	Platform *traces `json:",omitempty"`
	Gone     string  `json:",omitempty"` // the id of a platform that left nothing
}

// traces are what a platform may leave on the machine.
type traces struct {
	ID, Home, Domain, Listen, ListenTLS string

	Platform string     // its id, once it is known
	Hosts    bool       // names in /etc/hosts
	Undo     [][]string // commands for what else there is, the first one last
}

// openJournal begins the journal of a run whose temporary files are in dir.
func openJournal(dir string) (*journal, error) {
	runs, err := cacheDir("runs")
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(runs, "new-*")
	if err != nil {
		return nil, err
	}
	j := &journal{dir: dir, name: filepath.Join(runs, filepath.Base(dir)+".json"), file: file}
	// It is locked before others see it.
	err = errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_EX), j.write(entry{Dir: dir}), os.Rename(file.Name(), j.name))
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return j, nil
}

// end removes the run's temporary files, and the journal, unless a platform could not
// remove what it made: that is left to the next run.
func (j *journal) end() error {
	defer func() { _ = j.file.Close() }() // which unlocks it
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, left := readJournal(j.file); len(left) > 0 {
		return nil
	}
	return errors.Join(os.RemoveAll(j.dir), os.Remove(j.name))
}

func (j *journal) write(e entry) error {
	if j == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.file.Write(append(line, '\n'))
	return err
}

// readJournal gives a journal's directory and the traces of platforms that are not gone.
func readJournal(file io.Reader) (dir string, left []traces) {
	platforms := map[string]traces{}
	for lines := json.NewDecoder(file); ; {
		var e entry
		if lines.Decode(&e) != nil { // the end, or a line that was cut short
			break
		}
		if e.Dir != "" {
			dir = e.Dir
		}
		if e.Platform != nil {
			platforms[e.Platform.ID] = *e.Platform
		}
		delete(platforms, e.Gone)
	}
	for _, t := range platforms {
		left = append(left, t)
	}
	return dir, left
}

// removeLeftovers removes what earlier runs of this user left that were killed.
func (k *Kit) removeLeftovers(ctx context.Context) error {
	unlock, err := Lock("leftovers")
	if err != nil {
		return err
	}
	defer unlock()
	runs, err := cacheDir("runs")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(runs, "*.json"))
	for _, name := range files {
		if runErr := k.removeRun(ctx, name); runErr != nil {
			err = errors.Join(err, fmt.Errorf("remove what the test run of %s left: %w", name, runErr))
		}
	}
	return err
}

// removeRun removes all that a run left, if it is over. The journal goes last, so
// that what could not be removed now is tried again by the next run.
func (k *Kit) removeRun(ctx context.Context, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was read
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil // it goes on
	}
	dir, left := readJournal(file)
	for _, t := range left {
		fmt.Fprintf(os.Stderr, "e2e: removing what a killed test left: %s\n", t.Home)
		w := k.platformOf(t)
		w.undo(ctx)
		err = errors.Join(err, w.recall(t.Platform), w.removeAll(ctx))
	}
	if err != nil {
		return err
	}
	return errors.Join(unmountBelow(dir), os.RemoveAll(dir), os.Remove(name))
}

// platformOf is the platform that left those traces.
func (k *Kit) platformOf(t traces) *Platform {
	return &Platform{
		Dir: filepath.Join(t.Home, "data"), Domain: t.Domain, TLSAddr: t.ListenTLS, Metrics: "127.0.0.1:0",
		kit: k, home: t.Home, id: t.ID, listen: t.Listen, hosts: t.Hosts, undos: t.Undo,
	}
}

// recall writes down again who the platform was if its data are gone.
func (w *Platform) recall(platform string) error {
	if known, err := w.platform(); platform == "" || known != "" || err != nil {
		return err
	}
	who, err := json.Marshal(map[string]string{"id": platform})
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(w.Dir, 0o700), os.WriteFile(w.platformFile(), who, 0o600))
}

// note writes down what the platform has on the machine as things are.
func (w *Platform) note() error {
	platform, err := w.platform()
	if err != nil {
		return err
	}
	w.mu.Lock()
	undos := slices.Clone(w.undos)
	w.mu.Unlock()
	return w.kit.journal.write(entry{Platform: &traces{
		ID: w.id, Home: w.home, Domain: w.Domain, Listen: w.listen, ListenTLS: w.TLSAddr, Platform: platform,
		Hosts: w.hosts, Undo: undos,
	}})
}

// Undo says by which command a later test run undoes what this test is about to
// do to the machine, should it not live to undo that itself. The command is
// "renga" for the platform's binary. It does not matter when it fails: the thing
// may not be there, or be undone already.
func (w *Platform) Undo(command ...string) error {
	w.mu.Lock()
	w.undos = append(w.undos, command)
	w.mu.Unlock()
	return w.note()
}

// undo does what Undo was told.
func (w *Platform) undo(ctx context.Context) {
	for _, command := range slices.Backward(w.undos) {
		if command[0] == "renga" {
			command[0] = w.kit.Renga
		}
		_, _ = w.command(ctx, nil, command[0], command[1:]...) // see Undo
	}
}

// unmountBelow unmounts what a test mounted in a directory.
func unmountBelow(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		at := strings.Fields(line)[1]
		if strings.HasPrefix(at, dir+"/") {
			err = errors.Join(err, syscall.Unmount(at, syscall.MNT_DETACH))
		}
	}
	return err
}
