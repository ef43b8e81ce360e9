package enginetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/runtime/engine"
)

// testDisk: what one instance wrote the next one has, whatever its release, its
// image's own folder in that place and its end; and one that is to read reads only.
func testDisk(b *bench) {
	volume := "renga-suite-" + uuid.NewString()
	b.Disk(b.T, volume)
	begin := func(n int, m engine.Mount) engine.Instance {
		s := b.spec(b.Keeper, "keeper", n)
		s.Release, s.Mounts = n, []engine.Mount{m}
		return b.start(s)
	}
	says := func(i engine.Instance, want string) {
		b.Helper()
		b.until("it says "+want, func() bool {
			lines, err := b.Engine.(engine.Tailer).Tail(b.Context(), i.ID, 1)
			return err == nil && slices.Equal(lines, []string{want})
		})
	}
	whole := engine.Mount{Volume: volume, Path: "/disk", Alone: true}
	first := begin(1, whole)
	says(first, "notes: 1")
	if seen, _ := b.find(first.ID); !slices.Equal(seen.Alone, []string{volume}) {
		b.Errorf("listed as writing %q alone; want %s", seen.Alone, volume)
	}
	reader := begin(2, engine.Mount{Volume: volume, Path: "/disk", ReadOnly: true})
	says(reader, "notes: 1 read-only")
	if seen, _ := b.find(reader.ID); len(seen.Alone) > 0 {
		b.Errorf("a reader is listed as writing %q alone", seen.Alone)
	}
	if err := b.Engine.Kill(b.Context(), first.ID); err != nil {
		b.Fatal(err)
	}
	if err := b.Engine.Stop(b.Context(), first.ID, time.Second); err != nil {
		b.Fatal(err)
	}
	says(begin(3, whole), "notes: 2")
}

func testNoDisk(b *bench) {
	s := b.spec(b.Keeper, "keeper", 1)
	s.Mounts = []engine.Mount{{Volume: "renga-suite-" + uuid.NewString(), Path: "/disk", Alone: true}}
	for range 2 { // the first try makes none for the second
		if _, err := b.Engine.Start(b.Context(), s); renga.KindOf(err) != renga.Unavailable {
			b.Errorf("error %v of kind %q; want %q", err, renga.KindOf(err), renga.Unavailable)
		}
	}
	if left := b.list(b.app); len(left) > 0 {
		b.Errorf("it left %v", left)
	}
}

// MakeDisk makes a volume for the specs' mounts.
func (m *Memory) MakeDisk(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disks[name] += 0
}

// noteLocked adds a note on the disk of an instance, and says how many there are.
func (m *Memory) noteLocked(s engine.Spec) string {
	if len(s.Mounts) == 0 {
		return "none"
	}
	disk := s.Mounts[0]
	if disk.ReadOnly {
		return fmt.Sprint(m.disks[disk.Volume], " read-only")
	}
	m.disks[disk.Volume]++
	return fmt.Sprint(m.disks[disk.Volume])
}
