package registry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestATreeIsRemovedWhileItIsWrittenTo writes into a directory as uploads do, which
// make what is missing.
func TestATreeIsRemovedWhileItIsWrittenTo(t *testing.T) {
	for range 30 {
		dir := filepath.Join(t.TempDir(), "hello")
		begun, stop := make(chan struct{}), make(chan struct{})
		var writers sync.WaitGroup
		writers.Go(func() {
			for i := range 200 {
				select {
				case <-stop:
					return
				default:
				}
				upload := filepath.Join(dir, "web", "_uploads", string(rune('a'+i%26)))
				if err := os.MkdirAll(upload, 0o700); err == nil {
					_ = os.WriteFile(filepath.Join(upload, "data"), []byte("x"), 0o600)
				}
				if i == 20 {
					close(begun)
				}
			}
		})
		<-begun
		if err := removeTree(dir); err != nil {
			t.Error(err)
		}
		close(stop)
		writers.Wait()
		if err := removeTree(dir); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
	}
}
