package builds

import (
	"testing"
	"time"
)

// SetUploadTime is how long a source may take to come, until the test ends.
func SetUploadTime(t *testing.T, d time.Duration) {
	was := uploadTime
	uploadTime = d
	t.Cleanup(func() { uploadTime = was })
}
