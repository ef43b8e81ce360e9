// Package disk is the provider of add-ons that are disks: volumes at a path of an
// app's dynos.
//
// It makes volumes, and the dyno manager mounts them: what that needs to know is in
// the release, see [renga.Mount]. There is no service, and nobody to make
// credentials known to.
package disk

import (
	"context"
	"io"
	"sync"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/docker"
	"renga/locks"
)

// Options are what a Provider works with.
type Options struct {
	Docker *docker.Client
	Now    func() time.Time
}

// Provider makes disks. Its methods may be called at once from several goroutines.
type Provider struct {
	Options
	changing locks.Named // by add-on

	mu    sync.Mutex
	swept bool
}

var (
	_ provider.Provider = (*Provider)(nil)
	_ provider.Checker  = (*Provider)(nil)
	_ provider.Mounter  = (*Provider)(nil)
	_ provider.Archiver = (*Provider)(nil)
	_ provider.Meter    = (*Provider)(nil)
)

// New makes a Provider. Nothing is started.
func New(o Options) *Provider { return &Provider{Options: o} }

// name is that of an add-on's disk.
func name(id renga.AddOnID) string { return "renga-disk-" + string(id) }

func labels(i provider.Instance) map[string]string {
	return map[string]string{"renga.addon": string(i.AddOn.ID), "renga.addon-name": i.AddOn.Name}
}

// Ensure implements [provider.Provider]. Only a new add-on gets an empty disk: one
// that is missing later is no disk that lost its data in silence.
func (p *Provider) Ensure(ctx context.Context, i provider.Instance, tell func(step string)) error {
	defer p.changing.Lock(string(i.AddOn.ID))()
	if err := p.Check(i); err != nil {
		return err
	}
	if err := p.sweep(ctx); err != nil {
		return err
	}
	d, err := p.Docker.FindDisk(ctx, name(i.AddOn.ID))
	switch {
	case i.AddOn.State == renga.Provisioning:
		if err != nil {
			tell("making a volume")
		}
		d, err = p.Docker.NewDisk(ctx, name(i.AddOn.ID), labels(i), int64(i.Plan.Disk))
	case renga.KindOf(err) == renga.NotFound:
		return renga.Errorf(renga.Unavailable, "The volume %s of the disk %s is gone, and its data with it. Bring it back, restore a "+
			"backup, or remove the add-on.", name(i.AddOn.ID), i.AddOn.Name)
	}
	if err != nil {
		return err
	}
	if d.Quota > 0 && d.Quota != int64(i.Plan.Disk) {
		return renga.Errorf(renga.Invalid, "Docker made the disk with %s and cannot change that. Make a disk of the other plan and "+
			"restore a backup of this one into it.", catalogue.Bytes(d.Quota))
	}
	return p.Docker.Tidy(ctx, d)
}

// sweep removes once what the process before this one was killed over.
func (p *Provider) sweep(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.swept {
		return nil
	}
	err := p.Docker.RemoveArchiveLeftovers(ctx)
	p.swept = err == nil
	return err
}

// Grant implements [provider.Provider]: dynos need no credential.
func (p *Provider) Grant(context.Context, provider.Instance, renga.Credential) error { return nil }

// Revoke implements [provider.Provider].
func (p *Provider) Revoke(context.Context, provider.Instance, renga.Credential) error { return nil }

// Config implements [provider.Provider].
func (p *Provider) Config(i provider.Instance, _ renga.Credential) (renga.Vars, error) {
	o, err := optionsOf(i)
	if err != nil {
		return nil, err
	}
	data := i.Service.Data(i.AddOn, i.Plan)
	data.Path = o.path
	return i.Service.RenderConfig(data)
}

// Remove implements [provider.Provider]. A disk goes when no dyno has it any more.
func (p *Provider) Remove(ctx context.Context, i provider.Instance) error {
	defer p.changing.Lock(string(i.AddOn.ID))()
	if err := p.sweep(ctx); err != nil {
		return err
	}
	err := p.Docker.RemoveDisk(ctx, name(i.AddOn.ID))
	if renga.KindOf(err) == renga.Conflict {
		return renga.Errorf(renga.Unavailable, "Dynos still have the disk %s; it is removed when they have ended: %w", i.AddOn.Name, err)
	}
	return err
}

// Dump implements [provider.Archiver]: it writes a tar. Dynos may go on writing
// meanwhile, so that it is no picture of one moment.
func (p *Provider) Dump(ctx context.Context, i provider.Instance, to io.Writer) error {
	if err := p.sweep(ctx); err != nil {
		return err
	}
	d, err := p.Docker.FindDisk(ctx, name(i.AddOn.ID))
	if err != nil {
		return err
	}
	return p.Docker.ReadVolume(ctx, d.Volume, to)
}

// Restore implements [provider.Archiver]. Dynos that run keep what they have until
// they are started anew.
func (p *Provider) Restore(ctx context.Context, i provider.Instance, from io.Reader) error {
	defer p.changing.Lock(string(i.AddOn.ID))()
	if err := p.sweep(ctx); err != nil {
		return err
	}
	d, err := p.Docker.FindDisk(ctx, name(i.AddOn.ID))
	if renga.KindOf(err) == renga.NotFound { // it was lost, which is what backups are for
		d, err = p.Docker.NewDisk(ctx, name(i.AddOn.ID), labels(i), int64(i.Plan.Disk))
	}
	if err != nil {
		return err
	}
	return p.Docker.Replace(ctx, d, labels(i), int64(i.Plan.Disk), func(v docker.Volume) error {
		return p.Docker.WriteVolume(ctx, v, from, int64(i.Plan.Disk))
	})
}

// Measure implements [provider.Meter].
func (p *Provider) Measure(ctx context.Context, i provider.Instance) (provider.Usage, error) {
	u := provider.Usage{At: p.Now(), Connections: -1}
	d, err := p.Docker.FindDisk(ctx, name(i.AddOn.ID))
	if err != nil {
		return u, err
	}
	u.DataBytes, err = p.Docker.VolumeSize(ctx, d.Volume)
	return u, err
}
