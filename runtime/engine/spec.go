package engine

import (
	"time"

	"renga"
)

// Spec is all an engine needs to start one dyno.
type Spec struct {
	App     renga.AppID
	AppName string
	Dyno    string // a new UUID: the dyno's id
	Name    string // web.1
	Type    renga.ProcessType
	Release int
	Image   renga.Image
	// Env is complete: release, PORT, DYNO and the rest.
	Env  renga.Vars
	Size renga.Size
	// Port is where a web dyno must listen, inside; 0 for all others.
	Port int
	// NoInit makes the command the first process of the instance, without an init
	// before it that reaps children and hands on signals.
	NoInit bool
	// Crashes says how often in a row the dyno crashed before this start.
	Crashes int
	// Mounts are the disks that it has.
	Mounts []Mount
	// Until is when a one-off dyno must have ended; zero for others.
	Until time.Time
	// Attach makes an instance whose input and output belong to one client, and
	// are kept nowhere; nil for all others.
	Attach *Attach
}

// Mount is a disk at a place of an instance.
type Mount struct {
	Volume, Path string
	ReadOnly     bool
	Alone        bool // it is the only one that writes
}

// Alone lists the volumes that the instance writes alone.
func (s Spec) Alone() []string {
	var volumes []string
	for _, m := range s.Mounts {
		if m.Alone {
			volumes = append(volumes, m.Volume)
		}
	}
	return volumes
}

// Attach says how an instance is attached.
type Attach struct {
	// Terminal is the first size of its terminal; nil for no terminal.
	Terminal *renga.Window
}
