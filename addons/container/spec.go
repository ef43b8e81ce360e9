package container

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/docker"
)

// kind is that of the provider's containers.
const kind docker.Kind = "addon"

// The labels of a service's container. Each is written on every one, be it empty:
// a container inherits the labels of its image that it does not set itself.
const (
	labelAddOn   = "renga.addon"         // its id
	labelHome    = "renga.addon-home"    // of its place; empty, or missing, for its first one
	labelName    = "renga.addon-name"    // as it was then
	labelApp     = "renga.addon-app"     // the id of the app that it was made for
	labelService = "renga.addon-service" // heroku-postgresql
	labelMemory  = "renga.addon-memory"  // what it may use, in bytes
	labelMade    = "renga.addon-made"    // the hash of what it was made of
)

const (
	// oomScore lets a machine out of memory kill dynos before services, and services
	// before Docker and the platform.
	oomScore = 200
	// processes are how many a service may have besides one or two for each connection.
	processes = 512
	// leastShared is Docker's size of the memory that processes share.
	leastShared = 64 << 20
)

// making is all that a container is made of: what differs in any of it is another
// container. Its hash must not change from one Renga to the next, or an upgrade
// would start every database anew.
type making struct {
	Image       string
	Environment map[string]string // no renga.Vars, which is marshalled without its values
	Arguments   []string
	Files       []catalogue.RenderedFile
	Volume      string
	MemoryBytes int64
	CPU         float64
	Pids        int64
	DiskBytes   int64

	hash string
}

// wanted says what the container of an add-on is to be made of.
func wanted(i provider.Instance) (making, error) {
	d := data(i)
	m := making{
		Volume: i.Service.Volume, MemoryBytes: int64(i.Plan.Memory), CPU: i.Plan.CPU,
		Pids: processes + 2*int64(i.Plan.Connections), DiskBytes: int64(i.Plan.Disk),
	}
	var err error
	if m.Image, err = i.Service.ImageOf(i.AddOn.Options["version"]); err != nil {
		return m, err
	}
	if m.Environment, err = i.Service.RenderEnvironment(d); err != nil {
		return m, err
	}
	if m.Arguments, err = i.Service.RenderArguments(d); err != nil {
		return m, err
	}
	if m.Files, err = i.Service.RenderFiles(d); err != nil {
		return m, err
	}
	text, err := json.Marshal(m)
	sum := sha256.Sum256(text)
	m.hash = hex.EncodeToString(sum[:])
	return m, err
}

// is tells whether a container is as it is wanted. One that was never started may
// lack its files; one that has ended starts only in networks that are there.
func (m making) is(c *docker.Container, networks []string) bool {
	if c.Labels[labelMade] != m.hash || c.State == docker.Created {
		return false
	}
	for id := range c.Endpoints {
		if c.State == docker.Exited && !slices.Contains(networks, id) {
			return false
		}
	}
	return true
}

// spec is the container to be made.
func (m making) spec(i provider.Instance, image string, volumes map[string]docker.Volume) docker.Spec {
	s := docker.Spec{
		Kind: kind, Name: containerName(i.AddOn), Hostname: firstName(i.AddOn.Host), Image: image, Arguments: m.Arguments,
		Labels: labels(i, m.hash), Volumes: volumes, NoForwarding: true, ShmBytes: max(leastShared, m.MemoryBytes/4),
		Limits: docker.Limits{
			MemoryBytes: m.MemoryBytes, CPUs: m.CPU, Pids: m.Pids, DiskBytes: m.DiskBytes, OOMScore: oomScore,
		},
	}
	for _, name := range slices.Sorted(maps.Keys(m.Environment)) {
		s.Env = append(s.Env, name+"="+m.Environment[name])
	}
	return s
}

func labels(i provider.Instance, hash string) map[string]string {
	return map[string]string{
		labelAddOn: string(i.AddOn.ID), labelHome: i.AddOn.Home, labelName: i.AddOn.Name, labelApp: string(i.AddOn.App),
		labelService: i.Service.Name,
		labelMemory:  strconv.FormatInt(int64(i.Plan.Memory), 10), labelMade: hash,
		docker.LabelApp: "", docker.LabelAppName: "", // it belongs to no app, whatever its image says
	}
}

// fromLabels is what the labels of a container tell of its add-on.
func fromLabels(labels map[string]string) renga.AddOn {
	return renga.AddOn{
		ID: renga.AddOnID(labels[labelAddOn]), Name: labels[labelName], App: renga.AppID(labels[labelApp]),
		Service: labels[labelService],
	}
}

// containerName is for people who look at docker ps, and Docker has no two of one
// name: so no place of an add-on has two containers. It is made of what never changes.
func containerName(a renga.AddOn) string {
	return "renga-" + firstName(a.Host) + "-" + strings.ReplaceAll(placeOf(a).name(), "-", "")
}

// firstName is the name that an add-on had first.
func firstName(host string) string {
	name, _, _ := strings.Cut(host, ".")
	return name[:min(len(name), 60)]
}

// volumeName is made of what never changes.
func volumeName(a renga.AddOn) string { return "renga-addon-" + placeOf(a).name() }
