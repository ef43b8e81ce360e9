package main

import (
	"context"

	"renga"
	"renga/durable"
)

// checks are what /healthz looks at.
func (p *platform) checks() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"routes":      p.checkRoutes,
		"redis":       p.db.Ping,
		"engine":      p.docker.Ping,
		"firewall":    p.firewall.Check,
		"disk":        p.checkDisk,
		"engine_disk": p.checkEngineDisk,
	}
}

func (p *platform) checkRoutes(context.Context) error {
	if !p.manager.Ready() {
		return renga.Errorf(renga.Unavailable, "Not every app has been looked at since the start; wait a moment.")
	}
	return nil
}

func (p *platform) checkDisk(context.Context) error {
	free, err := durable.FreeBytes(p.settings.Data)
	if err == nil && free < p.settings.MinFreeDisk {
		err = renga.Errorf(renga.NoSpace,
			"%d MB are free below %s, and pushes are refused below %d MB: free some space.",
			free>>20, p.settings.Data, p.settings.MinFreeDisk>>20)
	}
	return err
}

func (p *platform) checkEngineDisk(ctx context.Context) error {
	free, err := p.docker.DiskFree(ctx)
	if err == nil && free < p.settings.MinFreeDisk {
		return renga.Errorf(renga.NoSpace,
			"%d MB are free where Docker keeps its files, and pushes are refused below %d MB: free some space, "+
				"for instance with docker image prune.",
			free>>20, p.settings.MinFreeDisk>>20)
	}
	return nil // "engine" says whether it answers
}
