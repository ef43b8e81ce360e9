package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWhatKeepsThePlatformFromStartingIsToldInASentence tries each on a data
// directory that was good before.
func TestWhatKeepsThePlatformFromStartingIsToldInASentence(t *testing.T) {
	s := newStory(t)
	s.start()
	s.refusesToServe("another Renga runs on the data directory "+s.w.Dir, "--listen=127.0.0.1:0", "--metrics-listen=")
	s.refusesToServe("cannot listen on "+s.w.Addr, "--data="+filepath.Join(t.TempDir(), "other"), "--metrics-listen=")
	s.must(s.w.Stop())
	for _, c := range []struct{ file, content, pattern string }{
		{"platform.json", `{"id":"5d1c7d2e-5df5-4c4a-9d1c-0d0f4f0d8d11","version":99,"adopted":true}`, "newer Renga"},
		{"platform.json", `{"id":`, "platform.json is damaged .*restore"},
		{"operator.json", ``, "operator.json is damaged .*restore"},
		{"keys/seal.json", ``, "seal.json holds no keyset.*backup"},
	} {
		s.damaged(filepath.Join(s.w.Dir, c.file), c.content, func() { s.refusesToServe(c.pattern) })
	}
	key := filepath.Join(s.w.Dir, "keys", "seal.json")
	s.must(os.Rename(key, key+".away"))
	s.refusesToServe("key file .*seal.json is missing.*backup")
	s.must(os.Rename(key+".away", key))
	s.start() // nothing of all that did harm
}

// damaged replaces a file's content while do runs.
func (s *story) damaged(path, content string, do func()) {
	s.Helper()
	good, err := os.ReadFile(path)
	s.must(err)
	s.must(os.WriteFile(path, []byte(content), 0o600))
	do()
	s.must(os.WriteFile(path, good, 0o600))
}

func TestADataDirectoryThatCannotBeWrittenIsToldInASentence(t *testing.T) {
	s := newStory(t)
	file := filepath.Join(t.TempDir(), "file")
	s.must(os.WriteFile(file, nil, 0o600))
	s.refusesToServe("the data directory "+file+" cannot be written.*--data", "--data="+file)
	s.refusesToServe("cannot be written.*--data", "--data="+filepath.Join(file, "below"))
	fixed := t.TempDir()
	s.mount(fixed, "ro")
	s.refusesToServe("the data directory "+fixed+" cannot be written.*read-only", "--data="+fixed)
}

// mount mounts an empty file system of memory until the test ends.
func (s *story) mount(dir, options string) {
	s.Helper()
	flags := uintptr(0)
	if options == "ro" {
		flags, options = syscall.MS_RDONLY, ""
	}
	s.must(syscall.Mount("tmpfs", dir, "tmpfs", flags, options))
	s.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			s.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// TestAllWrongSettingsAreToldAtOnce: nobody wants to learn of them one by one.
func TestAllWrongSettingsAreToldAtOnce(t *testing.T) {
	s := newStory(t)
	said := s.refusesToServe("--boot-timeout", "--domain=No Domain", "--port=0", "--boot-timeout=soon", "--metrics-listen=0.0.0.0:1")
	for _, flag := range []string{"--domain", "--port", "--boot-timeout", "--metrics-listen"} {
		if !strings.Contains(said, flag) {
			t.Errorf("%s is not told of in\n%s", flag, said)
		}
	}
	if _, err := os.Stat(s.w.Dir); err == nil {
		t.Error("a data directory was made nevertheless")
	}
	if conn, err := net.Dial("tcp", s.w.Addr); err == nil {
		t.Errorf("somebody listens on %s", conn.RemoteAddr())
	}
}
