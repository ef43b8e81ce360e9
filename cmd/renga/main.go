// Command renga is the whole platform in one binary: an OCI registry, a
// releaser, a dyno manager and a router. It alone knows all rooms and puts them
// together.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"renga/git"
)

func main() {
	if filepath.Base(os.Args[0]) == git.HookName { // git calls this program so, for a push
		os.Exit(git.RunHook())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	var next *successor
	if errors.As(err, &next) {
		err = next.start()
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "renga: "+err.Error())
		os.Exit(1)
	}
}

// command is one verb of the binary.
type command struct {
	name, args, does string
	run              func(ctx context.Context, p *program, args []string) error
}

// program is what every command gets.
type program struct {
	getenv   func(string) string
	in       io.Reader
	out, err io.Writer
}

var commands = []command{
	{"serve", "", "run the platform", serve},
	{"token", "", "print the operator's API token", printToken},
	{"env", "", "print the environment for the heroku CLI, git, curl and docker: eval \"$(renga env)\"", printEnv},
	{"ca", "", "print the local CA's certificate; --install makes this system trust it, --uninstall undoes that", printCA},
	{"hosts", "", "print the lines for /etc/hosts; --install writes them, --uninstall removes them", hosts},
	{"firewall", "", "print the firewall rules that keep dynos from this machine; --uninstall removes them", showFirewall},
	{"tunnel", "-a APP ADD-ON", "reach an add-on from here: listen on a port, and print the URL to use", openTunnel},
	{"account", "EMAIL [-]", "make an account; print its API token, and its password unless - reads that", addAccount},
	{"password", "EMAIL [-]", "give an account another password; print it, unless - reads it", setPassword},
	{"owner", "APP EMAIL", "give an app to an account, also one that nobody owns any more", setOwner},
	{"verify", "APP", "check every release of an app, byte by byte", verify},
	{"recover", "", "rebuild the records in Redis from the registry", recoverRecords},
	{"gc", "[--dry-run]", "rid the registry of images that nothing needs any more, or say what that would free", collect},
	{"du", "", "say what takes up the disk, app by app", diskUsage},
	{"rotate", "", "seal new releases with a new key; old ones stay readable", rotate},
	{"addons:check", "FILE…", "try files of add-on services, and say what they offer", checkAddOns},
	{"backups:open", "FILE", "print the dump that a backup of an add-on has in it", openBackup},
	{"version", "", "print the version", printVersion},
}

// run is main without the process: it picks the command and runs it.
func run(ctx context.Context, args []string, getenv func(string) string, out, errOut io.Writer) error {
	p := &program{getenv: getenv, in: os.Stdin, out: out, err: errOut}
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		return p.usage()
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(ctx, p, args[1:])
		}
	}
	return fmt.Errorf("there is no command %q; `renga help` lists them", args[0])
}

func (p *program) usage() error {
	fmt.Fprintln(p.out, "Renga runs apps: docker push is the whole deploy.\n\nCommands:")
	for _, c := range commands {
		fmt.Fprintf(p.out, "  renga %-18s %s\n", c.name+" "+c.args, c.does)
	}
	fmt.Fprintln(p.out, "\n`renga serve --help` lists the settings, which all commands share.")
	return flag.ErrHelp
}
