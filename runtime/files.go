package runtime

import (
	"context"
	"io/fs"

	"renga"
	"renga/runtime/engine"
)

// Files readies the files of the running dyno of that name.
func (m *Manager) Files(ctx context.Context, app renga.AppID, name string) (*Files, error) {
	filer, ok := m.engine.(engine.Filer)
	if !ok {
		return nil, renga.Errorf(renga.Unavailable, "Files of running dynos are more than this engine can read.")
	}
	i, err := m.running(ctx, app, name)
	if err != nil {
		return nil, err
	}
	return &Files{m, filer, i}, nil
}

// Files are those of a running dyno.
type Files struct {
	m        *Manager
	filer    engine.Filer
	instance engine.Instance
}

// Home is the folder that the dyno's command runs in.
func (f *Files) Home() string { return f.instance.Dir }

// Open opens a file by its absolute path, and has the app's log tell of it:
// Heroku's CLI says of no failure why.
func (f *Files) Open(ctx context.Context, path string) (fs.File, error) {
	opened, err := f.filer.OpenFile(ctx, f.instance.ID, path)
	if err != nil {
		f.m.say(f.instance.App, f.instance.Name, "Cannot copy %s: %s", path, renga.MessageOf(err, "The reason is in Renga's log."))
		return nil, err
	}
	f.m.say(f.instance.App, f.instance.Name, "Copying %s", path)
	return opened, nil
}
