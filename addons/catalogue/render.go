package catalogue

import (
	"fmt"
	"maps"
	"slices"

	"renga"
)

// RenderedFile is a [File] with its content.
type RenderedFile struct {
	Path, Content string
	Owner         int
}

// RenderEnvironment gives the variables of the container.
func (s Service) RenderEnvironment(d Data) (renga.Vars, error) {
	return renderAll(s.Environment, d, "environment", s.Name)
}

// RenderConfig gives the config vars with which an app uses a credential: by what
// follows the attachment's name and an underscore.
func (s Service) RenderConfig(d Data) (renga.Vars, error) {
	return renderAll(s.Config, d, "config", s.Name)
}

// RenderArguments gives the arguments for the image's entrypoint.
func (s Service) RenderArguments(d Data) ([]string, error) {
	all, err := renderList(s.Arguments, d)
	if err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", s.Name, err)
	}
	return all, nil
}

// RenderFiles gives the files of the container, by path.
func (s Service) RenderFiles(d Data) ([]RenderedFile, error) {
	var all []RenderedFile
	for _, path := range slices.Sorted(maps.Keys(s.Files)) {
		content, err := s.Files[path].Content.Render(d)
		if err != nil {
			return nil, fmt.Errorf("file %s of %s: %w", path, s.Name, err)
		}
		all = append(all, RenderedFile{path, content, s.Files[path].Owner})
	}
	return all, nil
}

// Render gives the program with its arguments, and what goes to its standard input.
func (c Command) Render(d Data) (argv []string, input string, err error) {
	if argv, err = renderList(c.Run, d); err != nil {
		return nil, "", fmt.Errorf("command: %w", err)
	}
	if input, err = c.Input.Render(d); err != nil {
		return nil, "", fmt.Errorf("command's input: %w", err)
	}
	return argv, input, nil
}

func renderAll(templates map[string]Template, d Data, what, service string) (renga.Vars, error) {
	all := renga.Vars{}
	for name, t := range templates {
		value, err := t.Render(d)
		if err != nil {
			return nil, fmt.Errorf("%s %s of %s: %w", what, name, service, err)
		}
		all[name] = value
	}
	return all, nil
}

func renderList(templates []Template, d Data) ([]string, error) {
	all := make([]string, 0, len(templates))
	for _, t := range templates {
		text, err := t.Render(d)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}
