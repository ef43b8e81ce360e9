package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
)

const (
	// hangUpGrace is how long a command has after SIGHUP.
	hangUpGrace = 5 * time.Second
	// hangUpPause is between two looks at whether it has ended.
	hangUpPause = 50 * time.Millisecond
)

// end ends the command as the end of a terminal does: its session, which is all
// that it started and that did not leave it, gets SIGHUP and, after a grace,
// SIGKILL. It fails where the machine's processes are not to be seen, and then
// has done nothing.
func (x *Execution) end(ctx context.Context) error {
	state, err := x.begun(ctx)
	if err != nil || !state.Running || state.Pid == 0 {
		return err // what it left behind it meant to
	}
	if err := Belongs(ProcessFolder(state.Pid), state.ContainerID); err != nil {
		if now, again := x.inspect(ctx); again == nil && !now.Running {
			return nil // it has ended meanwhile
		}
		return err
	}
	return endSession(ctx, state.Pid, state.ContainerID)
}

// begun looks at the command once it runs: the daemon passes on input and output
// before that. What never runs has an exit code then.
func (x *Execution) begun(ctx context.Context) (container.ExecInspect, error) {
	for late := time.Now().Add(hangUpGrace); ; {
		state, err := x.inspect(ctx)
		if err != nil || state.Pid != 0 || state.ExitCode != 0 || time.Now().After(late) {
			return state, err
		}
		time.Sleep(hangUpPause)
	}
}

func (x *Execution) inspect(ctx context.Context) (container.ExecInspect, error) {
	api, err := x.client.api(ctx)
	if err != nil {
		return container.ExecInspect{}, err
	}
	state, err := api.ContainerExecInspect(ctx, x.id)
	if err != nil {
		return state, fmt.Errorf("look for a command in a container: %w", x.client.fault(err))
	}
	return state, nil
}

// endSession ends the processes of a session that are a container's. A session
// outlives its leader, and keeps the number from others.
func endSession(ctx context.Context, session int, container string) error {
	late := time.After(hangUpGrace)
	signal := syscall.SIGHUP
	for first := true; ; first = false {
		left, err := members(session, container)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, p := range left {
			if first || signal == syscall.SIGKILL {
				_ = p.Signal(signal) // it may have ended
			}
			_ = p.Release() // never fails
		}
		select {
		case <-ctx.Done():
			return errors.New("its processes do not end")
		case <-late:
			signal = syscall.SIGKILL
		case <-time.After(hangUpPause):
		}
	}
}

// members finds the processes of a session that are a container's. A process
// is held before it is looked at, so that its number becomes nobody else's.
func members(session int, container string) ([]*os.Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []*os.Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || sessionOf(pid) != session {
			continue
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			continue // it has ended
		}
		if sessionOf(pid) == session && Belongs(ProcessFolder(pid), container) == nil {
			all = append(all, p)
		} else {
			_ = p.Release() // never fails
		}
	}
	return all, nil
}

// sessionOf is the session of a process that has not ended; 0 of any other.
func sessionOf(pid int) int {
	text, err := os.ReadFile(filepath.Join(ProcessFolder(pid), "stat"))
	if err != nil {
		return 0
	}
	return parseSession(text)
}

// parseSession reads /proc/PID/stat (proc_pid_stat(5)): a number, a name in
// brackets, which may hold anything, then state, parent, group and session.
func parseSession(stat []byte) int {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 4 || bytes.ContainsAny(fields[0], "ZX") { // it has ended
		return 0
	}
	session, err := strconv.Atoi(string(fields[3]))
	if err != nil {
		return 0
	}
	return session
}
