package registry

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"renga"
)

// Labels in an image's config that declare process types.
const (
	// processesLabel is ours: a JSON object from process type to command. A
	// string is run by the image's shell, an array is the argument vector.
	processesLabel = "renga.processes"
	// buildpacksLabel is that of Cloud Native Buildpacks (platform spec,
	// "io.buildpacks.build.metadata").
	buildpacksLabel = "io.buildpacks.build.metadata"
	// buildpacksDir holds one launcher link per process type in images made by
	// buildpacks.
	buildpacksDir = "/cnb/process/"
)

// maxProcesses bounds the process types of one image.
const maxProcesses = 50

// commandsOf gives the command of each process type that an image pushed to
// process declares: the image's own, and, for the web process, what its labels
// say; renga.processes overrides all. An error is renga.Invalid.
func commandsOf(process renga.ProcessType, c imageConfig) (map[renga.ProcessType][]string, error) {
	commands := map[renga.ProcessType][]string{}
	entrypoint := c.Config.Entrypoint
	if len(entrypoint) == 1 && entrypoint[0] == "" {
		entrypoint = nil // as Docker has it: how a Dockerfile takes one away
	}
	if argv := slices.Concat(entrypoint, c.Config.Cmd); checkCommand(argv) == "" {
		commands[process] = argv
	}
	if process == renga.Web {
		for _, declared := range []func(map[string]string) (map[renga.ProcessType][]string, error){
			buildpackProcesses, labelledProcesses,
		} {
			more, err := declared(c.Config.Labels)
			if err != nil {
				return nil, err
			}
			maps.Copy(commands, more)
		}
	}
	if len(commands) == 0 {
		return nil, renga.Errorf(renga.Invalid,
			"This image has no command. Add CMD or ENTRYPOINT to its Dockerfile, or a label %s.", processesLabel)
	}
	return commands, nil
}

// labelledProcesses reads the label renga.processes.
func labelledProcesses(labels map[string]string) (map[renga.ProcessType][]string, error) {
	label, ok := labels[processesLabel]
	if !ok {
		return nil, nil
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal([]byte(label), &entries); err != nil {
		return nil, badLabel(processesLabel, "it must be a JSON object from process type to command ("+jsonReason(err)+")")
	}
	if len(entries) > maxProcesses {
		return nil, badLabel(processesLabel, "it declares too many process types")
	}
	commands := map[renga.ProcessType][]string{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		t := renga.ProcessType(name)
		if err := renga.ValidateProcessType(t); err != nil {
			return nil, badLabel(processesLabel, err.Error())
		}
		argv := parseCommand(entries[name])
		if reason := checkCommand(argv); reason != "" {
			return nil, badLabel(processesLabel, "the command of "+name+" "+reason)
		}
		commands[t] = argv
	}
	return commands, nil
}

// parseCommand reads a command: a string for the shell, or an array of
// arguments. Anything else is nil.
func parseCommand(raw json.RawMessage) []string {
	var line string
	if json.Unmarshal(raw, &line) == nil && strings.TrimSpace(line) != "" {
		return []string{"/bin/sh", "-c", line}
	}
	var argv []string
	if json.Unmarshal(raw, &argv) != nil {
		return nil
	}
	return argv
}

// buildpackProcesses reads the label of Cloud Native Buildpacks. It leaves out
// types that are invalid here, which buildpacks declare by themselves, like
// console.
func buildpackProcesses(labels map[string]string) (map[renga.ProcessType][]string, error) {
	label, ok := labels[buildpacksLabel]
	if !ok {
		return nil, nil
	}
	var build struct {
		Processes []struct {
			Type string `json:"type"`
		} `json:"processes"`
	}
	if err := json.Unmarshal([]byte(label), &build); err != nil {
		return nil, badLabel(buildpacksLabel, "it is not what buildpacks write ("+jsonReason(err)+")")
	}
	if len(build.Processes) > maxProcesses {
		return nil, badLabel(buildpacksLabel, "it declares too many process types")
	}
	commands := map[renga.ProcessType][]string{}
	for _, p := range build.Processes {
		if t := renga.ProcessType(p.Type); renga.ValidateProcessType(t) == nil {
			commands[t] = []string{buildpacksDir + p.Type}
		}
	}
	return commands, nil
}

// checkCommand says why argv cannot be run; empty when it can.
func checkCommand(argv []string) string {
	switch {
	case len(argv) == 0 || argv[0] == "":
		return "is empty; it must be a string or an array of strings"
	case slices.ContainsFunc(argv, func(s string) bool { return strings.ContainsRune(s, 0) }):
		return "holds a NUL byte, which no argument can"
	}
	return ""
}

func badLabel(label, reason string) error {
	return renga.Errorf(renga.Invalid, "The image's label %s cannot be used: %s. Correct it, then build and push again.",
		label, strings.TrimSuffix(reason, "."))
}
