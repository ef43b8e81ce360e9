package docker

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/docker/docker/api/types"
)

// VolumeSize is how many bytes a volume takes. Where the daemon's files are not to be
// seen from here the daemon counts all that it has, which takes its time.
func (c *Client) VolumeSize(ctx context.Context, v Volume) (int64, error) {
	api, err := c.api(ctx)
	if err != nil {
		return 0, err
	}
	have, err := api.VolumeInspect(ctx, v.name)
	if err != nil {
		return 0, fmt.Errorf("look for volume %s: %w", v.name, c.fault(err))
	}
	if bytes, err := bytesIn(ctx, have.Mountpoint); err == nil {
		return bytes, nil
	}
	used, err := api.DiskUsage(ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.VolumeObject}})
	if err != nil {
		return 0, fmt.Errorf("ask for the size of volume %s: %w", v.name, c.fault(err))
	}
	for _, other := range used.Volumes {
		if other.Name == v.name && other.UsageData != nil {
			return max(0, other.UsageData.Size), nil
		}
	}
	return 0, nil
}

// bytesIn adds up what is in a folder. It never leaves that, whatever containers do with
// it meanwhile.
func bytesIn(ctx context.Context, dir string) (int64, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, fmt.Errorf("measure a volume: %w", err)
	}
	defer func() { _ = root.Close() }() // nothing was written
	var sum int64
	counted := map[uint64]bool{}
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return ctx.Err() // what has gone is no error
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Nlink > 1 && !entry.IsDir() && counted[st.Ino] || path == "." {
			return nil
		}
		if st.Nlink > 1 && !entry.IsDir() {
			counted[st.Ino] = true
		}
		sum += st.Blocks * 512
		return nil
	})
	return sum, err
}
