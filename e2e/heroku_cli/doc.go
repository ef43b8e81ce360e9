// Package herokucli tells user stories with the official Heroku CLI, unmodified,
// in the version that [renga/e2e.InstallCLI]
// installs. People who leave Heroku keep their
// fingers: what they typed there must do the same here.
//
// A story is a script in testdata. Besides the words of package e2e there are:
//
//	heroku ARGS…           run the CLI in the environment that `renga env`
//	                       prints; its output, both kinds, is the script's stdout
//	heroku < FILE ARGS…    the same with the file as its input
//	tunnel [-socks] URL… -- ARGS…
//	                       run the CLI, ask the URLs meanwhile, with -socks through its
//	                       proxy, and kill it; prints each answer, or why there is none
//	attach [< FILE] URL    run docs/examples/attach.mjs; its output is the script's stdout
//	as EMAIL               be another account from here on, made when it is new;
//	                       "as operator" goes back
//	dockerfile NAME        make the folder NAME with a Dockerfile of the test app,
//	                       for container:push
//	certificate NAME HOST… make NAME.crt, a certificate for the hosts that "NAME CA"
//	                       has signed, and NAME.key
//
// Loading the CLI takes a hundred times as long as most commands. So one process
// per story and environment (that which `renga env` makes, asked before each
// command) runs them one after the other by oclif's execute, as the CLI's own
// bin/run.js does, with a fresh configuration each. A command ends when a process
// of its own would: when it exits, or nothing is left that keeps the loop going.
// What it leaves behind is undone (exit code, arguments, folder, listeners, agents
// and their connections, what oclif and the CLI remember in modules). Where that is
// not all (a changed environment, work that goes on, a fault that nobody caught) the
// process is ended, and the next command gets another. See many.mjs.
//
// A process of its own get all commands that talk with a terminal or other programs,
// read, write files for later or go on for long (the list in alone.go), and
// about a tenth of the others: those for which a hash of the story's and the command's
// name says so. Each story logs how many of either it had. A command that does not
// end in three minutes fails its story, with what it has printed.
//
// Every platform of these stories has names and ports as in real life, see
// [renga/e2e.WithHosts], for the CLI wants port 443.
//
// The commands that no story runs are in testdata/commands.table, and TestCommands
// runs them all in one platform: what each says or does is looked for, and the hosts
// that it asks. It writes docs/cli-coverage.md.
//
// Stories assert on outcomes: what the URL answers, what the API says, what the
// engine runs. An exit code alone proves nothing, and [renga/e2e.Unlooked] finds
// the calls behind which nobody looks.
package herokucli
