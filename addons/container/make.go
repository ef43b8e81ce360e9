package container

import (
	"context"
	"fmt"
	"slices"
	"time"

	"renga"
	"renga/addons/provider"
	"renga/docker"
)

// stopGrace is how long a service may take to write everything down when another
// container is to take its place.
const stopGrace = time.Minute

// make makes the container, and its volume when it is missing.
func (p *Provider) make(
	ctx context.Context, i provider.Instance, m making, networks []string, tell func(string),
) (*docker.Container, error) {
	image, err := p.Docker.ImageByName(ctx, m.Image, percents(tell))
	if err != nil {
		return nil, err
	}
	volumes, err := p.volumes(ctx, i, m)
	if err != nil {
		return nil, err
	}
	tell("making the container")
	// The daemon does not stop creating when the asker goes away. So from here to
	// its end it is made whole, or not at all.
	ctx = context.WithoutCancel(ctx)
	c, err := p.Docker.Create(ctx, m.spec(i, image.ID, volumes))
	if err != nil {
		return nil, fmt.Errorf("make the container of %s: %w", i.AddOn.Name, err)
	}
	if err := c.WriteFiles(ctx, files(m)...); err != nil {
		if err2 := c.Remove(ctx); err2 != nil {
			p.Log.Warn("a container that is not whole is left behind", "addon", i.AddOn.Name, "err", err2)
		}
		return nil, fmt.Errorf("make the container of %s: %w", i.AddOn.Name, err)
	}
	return c, nil
}

// volumes gives the volume of a service that keeps data, which is made when it is
// missing. That it is missing though the service was there is said aloud.
func (p *Provider) volumes(ctx context.Context, i provider.Instance, m making) (map[string]docker.Volume, error) {
	if m.Volume == "" {
		return nil, nil
	}
	name := volumeName(i.AddOn)
	have, err := p.Docker.HasVolume(ctx, name)
	if err != nil {
		return nil, err
	}
	if !have && i.AddOn.State == renga.Provisioned {
		p.say(i.AddOn, "The data of %s are gone: somebody removed its volume %s. It begins anew without data; restore a backup",
			i.AddOn.Name, name)
		p.Log.Error("the data of an add-on are gone", "addon", i.AddOn.Name, "volume", name)
	}
	v, err := p.Docker.Volume(ctx, name, map[string]string{labelAddOn: string(i.AddOn.ID), labelName: i.AddOn.Name})
	return map[string]docker.Volume{m.Volume: v}, err
}

// files are those of the catalogue. Only their owner may read them.
func files(m making) []docker.NewFile {
	var all []docker.NewFile
	for _, f := range m.Files {
		all = append(all, docker.NewFile{
			Path: f.Path, Content: []byte(f.Content), Mode: 0o600, UID: f.Owner, GID: f.Owner,
		})
	}
	return all
}

// percents tells of a pull. It tells of no step back: what there is to come is
// known little by little.
func percents(tell func(string)) func(done, total int64) {
	most := int64(-1)
	return func(done, total int64) {
		if now := done * 100 / max(total, 1); now > most {
			most = now
			tell(fmt.Sprintf("pulling image %d %%", now))
		}
	}
}

// discard ends a container that another is to take the place of. Its data stay.
func (p *Provider) discard(ctx context.Context, i provider.Instance, c *docker.Container) error {
	if c.State == docker.Running {
		p.say(i.AddOn, "Stopping: it is started again as it is wanted now")
	}
	return p.end(ctx, i, c)
}

// Rest implements [provider.Upgrader].
func (p *Provider) Rest(ctx context.Context, i provider.Instance) error {
	p.forget(i.AddOn)
	c, err := p.find(ctx, i.AddOn)
	if err != nil || c == nil {
		return err
	}
	return p.end(ctx, i, c)
}

// end ends a container in order, and removes it. Its data stay.
func (p *Provider) end(ctx context.Context, i provider.Instance, c *docker.Container) error {
	if c.State == docker.Running {
		if err := c.Terminate(ctx, stopGrace); err != nil {
			return fmt.Errorf("stop %s: %w", i.AddOn.Name, err)
		}
	}
	return p.remove(ctx, i.AddOn, c)
}

// remove removes a container, once all that it printed is kept.
func (p *Provider) remove(ctx context.Context, a renga.AddOn, c *docker.Container) error {
	p.awaitLastLines(ctx, c.ID)
	if err := c.Remove(ctx); err != nil {
		return fmt.Errorf("remove the container of %s: %w", a.Name, err)
	}
	return p.Logs.Forget(a.App, c.ID)
}

// Remove implements [provider.Provider].
func (p *Provider) Remove(ctx context.Context, i provider.Instance) error {
	p.forget(i.AddOn)
	c, err := p.find(ctx, i.AddOn)
	if err != nil {
		return err
	}
	if c != nil {
		if err := c.Kill(ctx); err != nil { // nothing of it is worth being written down
			return fmt.Errorf("stop %s: %w", i.AddOn.Name, err)
		}
		if err := p.remove(ctx, i.AddOn, c); err != nil {
			return err
		}
	}
	return p.removeVolume(ctx, i)
}

const (
	// removalLimit is how long it is waited for a container that is being removed.
	removalLimit = 30 * time.Second
	removalPause = 100 * time.Millisecond
)

// removeVolume removes the data. A container that is being removed, by a call that
// was cut short, has them still though nothing else is to be seen of it.
func (p *Provider) removeVolume(ctx context.Context, i provider.Instance) error {
	for late := time.After(removalLimit); ; {
		err := p.Docker.RemoveVolume(ctx, volumeName(i.AddOn))
		if renga.KindOf(err) != renga.Conflict {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("remove the data of %s: %w", i.AddOn.Name, err)
		case <-time.After(removalPause):
		}
	}
}

// networks gives the ids of the networks that it is to be in.
func (p *Provider) networks(ctx context.Context, i provider.Instance) ([]string, error) {
	var ids []string
	for _, app := range i.Apps {
		id, err := p.Docker.Network(ctx, app.ID, app.Name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// connect has a container be in these networks and in no others, under its host
// name.
func connect(ctx context.Context, c *docker.Container, networks []string, host string) error {
	for id, at := range c.Endpoints {
		if !slices.Contains(networks, id) || !slices.Contains(at.Aliases, host) {
			if err := c.Disconnect(ctx, id); err != nil {
				return err
			}
			delete(c.Endpoints, id)
		}
	}
	for _, id := range networks {
		if _, in := c.Endpoints[id]; in {
			continue
		}
		if err := c.Connect(ctx, id, host); err != nil {
			return err
		}
	}
	return nil
}
