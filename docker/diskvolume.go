package docker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/volume"

	"renga"
)

// A disk is a volume whose content can be replaced as a whole: each time by another
// volume, a generation. Docker makes a volume in one step and renames none: so a
// further, empty volume says that a generation is whole, and the newest one of which
// it does is the disk. Whatever is cut short, the disk is the old one or the new.
const (
	labelDisk       = "renga.volume-of"         // the disk's name; on all of its volumes
	labelGeneration = "renga.volume-generation" // 0, 1, 2 …
	labelWhole      = "renga.volume-whole"      // "true" on the volume that says so
	labelQuota      = "renga.volume-quota"      // the bytes that its file system lets be in it; 0 where it cannot
)

// Disk is what there is of a disk.
type Disk struct {
	Volume     Volume // the one with its content
	Generation int
	// Dir is its folder on the daemon's machine.
	Dir string
	// Quota is how many bytes the file system lets be in it; 0 where it cannot tell.
	Quota int64

	name   string
	last   int      // the highest number of a generation that there is something of
	others []string // volumes of it that are the disk no more, or not yet
}

// FindDisk finds a disk. It is renga.NotFound when there is none.
func (c *Client) FindDisk(ctx context.Context, name string) (Disk, error) {
	all, err := c.volumesOf(ctx, name)
	if err != nil {
		return Disk{}, err
	}
	whole := map[string]bool{"0": true}
	for _, v := range all {
		if v.Labels[labelWhole] == "true" {
			whole[v.Labels[labelGeneration]] = true
		}
	}
	d := Disk{name: name, Generation: -1}
	for _, v := range all {
		n, err := strconv.Atoi(v.Labels[labelGeneration])
		d.last = max(d.last, n)
		if err == nil && n > d.Generation && v.Labels[labelWhole] != "true" && whole[v.Labels[labelGeneration]] {
			d.Generation, d.Volume, d.Dir = n, Volume{name: v.Name}, v.Mountpoint
			d.Quota, _ = strconv.ParseInt(v.Labels[labelQuota], 10, 64) // it is 0 where it is none
		}
	}
	if d.Generation < 0 {
		return Disk{}, renga.Errorf(renga.NotFound, "There is no volume %s.", name)
	}
	for _, v := range all {
		mark := v.Labels[labelWhole] == "true" && v.Labels[labelGeneration] == strconv.Itoa(d.Generation)
		if v.Name != d.Volume.name && !mark {
			d.others = append(d.others, v.Name)
		}
	}
	return d, nil
}

func (c *Client) volumesOf(ctx context.Context, name string) ([]*volume.Volume, error) {
	api, err := c.api(ctx)
	if err != nil {
		return nil, err
	}
	found, err := api.VolumeList(ctx, volume.ListOptions{Filters: c.ours(Label{labelDisk, name})})
	if err != nil {
		return nil, fmt.Errorf("list the volumes of %s: %w", name, c.fault(err))
	}
	return found.Volumes, nil
}

// NewDisk makes a disk, with nothing in it, when there is none. Every user of a
// container may write to it. Bytes bounds it where the file system can do that.
func (c *Client) NewDisk(ctx context.Context, name string, labels map[string]string, bytes int64) (Disk, error) {
	if _, err := c.generation(ctx, name, 0, labels, bytes); err != nil {
		return Disk{}, err
	}
	d, err := c.FindDisk(ctx, name)
	if err == nil && d.Generation == 0 {
		err = c.openFolder(ctx, d.Volume)
	}
	return d, err
}

// Replace puts what fill writes in the place of a disk's content. Containers that
// have the disk keep the old one until they end.
func (c *Client) Replace(ctx context.Context, d Disk, labels map[string]string, bytes int64, fill func(Volume) error) error {
	if err := c.Tidy(ctx, d); err != nil { // of what was cut short
		return err
	}
	next := d.last + 1 // what could not be removed is in nobody's way
	v, err := c.generation(ctx, d.name, next, labels, bytes)
	if err != nil {
		return err
	}
	if err := fill(v); err != nil {
		return errors.Join(err, c.RemoveVolume(context.WithoutCancel(ctx), v.name))
	}
	mark := map[string]string{labelDisk: d.name, labelGeneration: strconv.Itoa(next), labelWhole: "true"}
	_, err = c.Volume(ctx, v.name+"-whole", mark)
	return err
}

// Tidy removes volumes that are the disk no more, or never came to be it. One that
// a container has stays.
func (c *Client) Tidy(ctx context.Context, d Disk) error {
	for _, name := range d.others {
		if err := c.RemoveVolume(ctx, name); err != nil && renga.KindOf(err) != renga.Conflict {
			return err
		}
	}
	return nil
}

// RemoveDisk removes a disk with all that is in it. It is renga.Conflict as long as
// a container has it, and no error when there is none.
func (c *Client) RemoveDisk(ctx context.Context, name string) error {
	all, err := c.volumesOf(ctx, name)
	for _, v := range all {
		err = errors.Join(err, c.RemoveVolume(ctx, v.Name))
	}
	return err
}

// generation makes one of a disk's volumes.
func (c *Client) generation(ctx context.Context, disk string, n int, labels map[string]string, bytes int64) (Volume, error) {
	all := map[string]string{}
	for key, value := range labels {
		all[key] = value
	}
	name := disk
	if n > 0 {
		name += "-" + strconv.Itoa(n)
	}
	all[labelDisk], all[labelGeneration], all[labelQuota] = disk, strconv.Itoa(n), strconv.FormatInt(bytes, 10)
	v, err := c.volume(ctx, name, all, map[string]string{"size": strconv.FormatInt(bytes, 10)})
	if err != nil && strings.Contains(err.Error(), "quota") { // no file system of it can do that
		all[labelQuota] = "0"
		v, err = c.volume(ctx, name, all, nil)
	}
	return v, err
}
