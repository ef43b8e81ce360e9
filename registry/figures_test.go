package registry_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	figureRounds  = 3
	figurePushers = 16
)

// figure is what one round of one thing cost a server.
type figure struct{ wall, cpu time.Duration }

// BenchmarkFigures holds Renga's registry against the bare one and against what the
// machine can do at all: both as processes of their own, in turns, so that the ratios are
// of one and the same time. It prints a table and is no loop.
func BenchmarkFigures(b *testing.B) {
	servers := map[string]*process{}
	for _, kind := range []string{kindRenga, kindBare} {
		servers[kind] = startChild(b, kind, b.TempDir())
		defer servers[kind].end(b)
	}
	files := b.TempDir()
	floor := startChild(b, kindFiles, files)
	defer floor.end(b)
	rows := []string{
		"push 200 MB", "push 50 small", "push again what runs", "push a manifest again", "16 pushes at once", "pull 200 MB",
		"pull 50 small",
	}
	figures := map[string]map[string][]figure{}
	for _, row := range rows {
		figures[row] = map[string][]figure{}
	}
	for range figureRounds {
		limits := func(row string, took figure) { figures[row]["limit"] = append(figures[row]["limit"], took) }
		limits("push 200 MB", limit(b, 200<<20))
		writeBlob(b, filepath.Join(files, "blob"), 200<<20)
		big, small, shared := benchImage(b, 1, 200<<20), benchImage(b, 50, 200<<10), noise(b, 40<<20)
		own := make([]v1.Image, figurePushers)
		for n := range own {
			own[n] = imageOf(b, shared, noise(b, 2<<20))
		}
		for kind, c := range servers {
			note := func(row string, do func()) {
				figures[row][kind] = append(figures[row][kind], c.measure(b, do))
			}
			note("push 200 MB", func() { c.push(b, "hello/web:latest", big) })
			note("push 50 small", func() { c.push(b, "hello/web:latest", small) })
			note("push again what runs", func() { c.push(b, "hello/web:latest", small) })
			note("push a manifest again", func() { c.put(b, "hello/web", small) })
			note("16 pushes at once", func() {
				var all sync.WaitGroup
				for n, img := range own {
					all.Go(func() { c.push(b, fmt.Sprintf("app-%d/web:latest", n), img) })
				}
				all.Wait()
			})
			note("pull 200 MB", func() { c.pull(b, big) })
			note("pull 50 small", func() { c.pull(b, small) })
		}
		limits("pull 200 MB", floor.measure(b, func() { fetch(b, "http://"+floor.host+"/blob") }))
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n| What | Renga | bare | bare / Renga | limit / Renga | CPU Renga | CPU bare |\n|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		renga, bare := median(figures[row][kindRenga]), median(figures[row][kindBare])
		toLimit := "|"
		if l := figures[row]["limit"]; l != nil {
			toLimit = fmt.Sprintf("%.2f (%d ms) |", ratio(median(l).wall, renga.wall), median(l).wall.Milliseconds())
			b.ReportMetric(ratio(median(l).wall, renga.wall), "limit/"+strings.Fields(row)[0])
		}
		fmt.Fprintf(&table, "| %s | %d ms | %d ms | %.2f | %s %.2f s | %.2f s |\n", row, renga.wall.Milliseconds(),
			bare.wall.Milliseconds(), ratio(bare.wall, renga.wall), toLimit, renga.cpu.Seconds(), bare.cpu.Seconds())
	}
	fmt.Fprintf(&table, "| peak memory | %d MB | %d MB | | | | |\n", servers[kindRenga].peak(b)>>20, servers[kindBare].peak(b)>>20)
	fmt.Println(table.String())
	for b.Loop() { // there is nothing to repeat
		continue
	}
}

// BenchmarkFsyncs counts the fsyncs of one push of 50 small layers, a config and a
// manifest, and of one large layer: only stored, and with the release that it becomes,
// which has links of its own to all of them.
func BenchmarkFsyncs(b *testing.B) {
	if _, err := exec.LookPath("strace"); err != nil {
		b.Skip("strace is not installed")
	}
	for _, s := range []struct {
		name         string
		layers, size int
	}{{"50small", 50, 200 << 10}, {"20MB", 1, 20 << 20}} {
		for _, what := range []struct{ name, kind, tag string }{
			{"stored", kindRenga, "stored"}, {"released", kindRenga, "latest"}, {"bare", kindBare, "latest"},
		} {
			b.Run(s.name+"/"+what.name, func(b *testing.B) {
				counts := filepath.Join(b.TempDir(), "counts")
				c := startChild(b, what.kind, b.TempDir(), "strace", "-f", "-c", "-e", "trace=fsync,fdatasync,syncfs", "-o", counts)
				c.push(b, "hello/web:"+what.tag, benchImage(b, s.layers, s.size))
				c.end(b)
				raw, err := os.ReadFile(counts)
				must(b, err)
				sum := 0
				for _, m := range syncLine.FindAllSubmatch(raw, -1) {
					n, err := strconv.Atoi(string(m[1]))
					must(b, err)
					sum += n
				}
				for b.Loop() { // there is nothing to repeat
					continue
				}
				b.ReportMetric(float64(sum), "fsyncs")
				b.ReportMetric(float64(sum)/float64(s.layers+3), "fsyncs/blob") // with those of the image itself, and its config
			})
		}
	}
}

// syncLine is a line of strace's table: share, seconds, microseconds each, calls, name.
var syncLine = regexp.MustCompile(`(?m)^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:fsync|fdatasync|syncfs)$`)

func imageOf(b *testing.B, layers ...v1.Layer) v1.Image {
	b.Helper()
	img, err := mutate.AppendLayers(image(b), layers...)
	must(b, err)
	_, err = img.Digest() // so that hashing is not measured
	must(b, err)
	return img
}

func (c *process) ref(b *testing.B, where string) name.Reference {
	b.Helper()
	ref, err := name.ParseReference(c.host+"/"+where, name.Insecure)
	must(b, err)
	return ref
}

func (c *process) push(b *testing.B, where string, img v1.Image) {
	if err := remote.Write(c.ref(b, where), img, as("alice-token")...); err != nil {
		b.Error(err)
	}
}

// put sends the manifest of an image that is there without asking first, as docker does.
// At Renga that makes a release.
func (c *process) put(b *testing.B, repository string, img v1.Image) {
	b.Helper()
	raw, err := img.RawManifest()
	must(b, err)
	mediaType, err := img.MediaType()
	must(b, err)
	req, err := http.NewRequest("PUT", "http://"+c.host+"/v2/"+repository+"/manifests/latest", bytes.NewReader(raw))
	must(b, err)
	req.SetBasicAuth("_", "alice-token")
	req.Header.Set("Content-Type", string(mediaType))
	res, err := http.DefaultClient.Do(req)
	must(b, err)
	must(b, res.Body.Close())
	if res.StatusCode != http.StatusCreated {
		b.Errorf("the manifest gets %s", res.Status)
	}
}

// pull reads all layers, one after the other.
func (c *process) pull(b *testing.B, img v1.Image) {
	b.Helper()
	m, err := img.Manifest()
	must(b, err)
	for _, l := range m.Layers {
		fetch(b, "http://"+c.host+"/v2/hello/web/blobs/"+l.Digest.String())
	}
}

// measure is how long something takes, and what the server's processors do meanwhile.
func (c *process) measure(b *testing.B, do func()) figure {
	b.Helper()
	http.DefaultClient.CloseIdleConnections()
	before, begun := c.cpu(b), time.Now()
	do()
	took := time.Since(begun)
	return figure{took, c.cpu(b) - before}
}

// cpu is the processor time that the server has used (proc_pid_stat(5)).
func (c *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	must(b, err)
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(field, 10, 64)
		must(b, err)
		ticks += n
	}
	const perSecond = 100 // USER_HZ of Linux
	return time.Duration(ticks) * time.Second / perSecond
}

// peak is the most memory that the server ever had, in bytes (proc_pid_status(5)).
func (c *process) peak(b *testing.B) int64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	must(b, err)
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	must(b, err)
	return n << 10
}

// limit is what the machine needs at least to take so many bytes: to read, to hash, to
// write and to sync them, on one processor.
func limit(b *testing.B, size int64) figure {
	b.Helper()
	path := filepath.Join(b.TempDir(), "in")
	writeBlob(b, path, size)
	in, err := os.Open(path)
	must(b, err)
	out, err := os.Create(path + ".out")
	must(b, err)
	begun := time.Now()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(sha256.New(), out)}, struct{ io.Reader }{in}, make([]byte, 1<<20))
	must(b, err)
	must(b, out.Sync())
	took := time.Since(begun)
	must(b, in.Close())
	must(b, out.Close())
	must(b, os.Remove(path))
	must(b, os.Remove(path+".out"))
	return figure{wall: took}
}

// writeBlob writes a file of so many random bytes.
func writeBlob(b *testing.B, path string, size int64) {
	b.Helper()
	from, err := noise(b, int(size)).Compressed()
	must(b, err)
	file, err := os.Create(path)
	must(b, err)
	_, err = io.Copy(file, from)
	must(b, errors.Join(err, file.Close()))
}

func median(all []figure) figure {
	walls := slices.SortedFunc(slices.Values(all), func(a, b figure) int { return int(a.wall - b.wall) })
	return walls[len(walls)/2]
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
