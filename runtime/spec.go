package runtime

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"renga"
	"renga/runtime/engine"
	"renga/runtime/plan"
)

// initVar is the config var that says, with the value none, that the images
// bring an init of their own.
const initVar = "RENGA_INIT"

// spec is all that the engine must know to start a dyno of release r.
func (o Options) spec(app renga.App, r renga.Release, s plan.Start, dyno string) (engine.Spec, error) {
	if r.Version != s.Release.Version {
		return engine.Spec{}, fmt.Errorf("release %s holds %s", renga.VersionName(s.Release.Version), r.Name())
	}
	size, ok := o.Sizes[s.Size]
	if !ok {
		return engine.Spec{}, renga.Errorf(renga.Invalid, "Dyno size %q is not known here; scale %s to one of %s.",
			s.Size, s.Type, strings.Join(slices.Sorted(maps.Keys(o.Sizes)), ", "))
	}
	image, ok := r.Inputs.Images[s.Type]
	if !ok {
		return engine.Spec{}, renga.Errorf(renga.Invalid, "Release %s has no image for %s.", r.Name(), s.Type)
	}
	spec := engine.Spec{
		App: app.ID, AppName: app.Name, Dyno: dyno, Name: s.Name, Type: s.Type, Release: r.Version,
		Image: image, Env: r.Env(), Size: size, Crashes: s.Crashes, Mounts: mounts(r, s.Type),
	}
	maps.Copy(spec.Env, o.platformEnv(app, r, s, dyno))
	spec.NoInit = spec.Env[initVar] == "none"
	if s.Type == renga.Web {
		spec.Port = o.Port
		spec.Env["PORT"] = strconv.Itoa(o.Port)
	}
	return spec, nil
}

// oneOffSpec is all that the engine must know to run a command in release r.
func (o Options) oneOffSpec(app renga.App, r renga.Release, asked renga.OneOff, name string) (engine.Spec, error) {
	spec, err := o.spec(app, r, plan.Start{Name: name, Type: asked.Type, Size: asked.Size, Release: r.Record()}, asked.Dyno)
	if err != nil {
		return engine.Spec{}, err
	}
	for n := range spec.Mounts {
		readOnly(&spec.Mounts[n])
	}
	spec.NoInit = false // it is a command of its own, and not the image's init
	spec.Type, spec.Port, spec.Until = asked.As, 0, o.Now().Add(asked.Lasts)
	delete(spec.Env, "PORT")
	maps.Copy(spec.Env, asked.Env)
	if asked.Attach {
		spec.Attach = &engine.Attach{Terminal: asked.Terminal}
	}
	return spec, nil
}

// mounts are the disks of a process type's dynos.
func mounts(r renga.Release, t renga.ProcessType) []engine.Mount {
	var all []engine.Mount
	for _, m := range renga.MountsOf(r.Inputs.Mounts(), t) {
		all = append(all, engine.Mount{Volume: m.Volume, Path: m.Path, Alone: !m.Shared})
	}
	return all
}

// readOnly makes a mount into a one-off dyno's: that looks at a disk which another
// dyno writes alone.
func readOnly(m *engine.Mount) { m.ReadOnly, m.Alone = m.Alone, false }

// platformEnv is what the platform tells every dyno: DYNO, and what Heroku
// calls dyno metadata.
func (o Options) platformEnv(app renga.App, r renga.Release, s plan.Start, dyno string) renga.Vars {
	return renga.Vars{
		"DYNO":                           s.Name,
		"HEROKU_APP_ID":                  string(app.ID),
		"HEROKU_APP_NAME":                app.Name,
		"HEROKU_APP_DEFAULT_DOMAIN_NAME": app.Name + "." + o.Domain,
		"HEROKU_DYNO_ID":                 dyno,
		"HEROKU_RELEASE_VERSION":         r.Name(),
		"HEROKU_RELEASE_CREATED_AT":      r.CreatedAt.UTC().Format(time.RFC3339),
		"HEROKU_SLUG_COMMIT":             r.Inputs.Images[s.Type].Digest,
		"HEROKU_SLUG_DESCRIPTION":        r.Description,
	}
}
