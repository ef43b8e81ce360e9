package renga

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Upgrade is a change of an add-on to another version of its service, with its data. The
// add-on is in two places meanwhile: one serves, and in the other one is what is being
// made, or what is kept for the way back. Which of them serves says the add-on's record
// alone, and it changes in one transaction.
type Upgrade struct {
	State UpgradeState
	// Other is the place that does not serve. Before it is made it has a version only.
	Other Place
	// Attempts counts how often the copying was begun.
	Attempts int
	// Reason says why it failed, or what a trial has found, in a sentence.
	Reason string
	// Failed is set once it cannot go well any more, until what was made for it is removed.
	Failed bool
	By     AccountID
	// KeptUntil is until when the other place is kept; zero while it is not.
	AskedAt, EndedAt, KeptUntil time.Time
}

// Place is where a provider keeps one making of an add-on, with its data.
type Place struct {
	// Home names it: a UUID; empty for the first one that an add-on has.
	Home    string
	Version string // of the service
}

// UpgradeState is how far an upgrade has come.
type UpgradeState string

// The states of an upgrade; it is empty when none was asked for.
const (
	UpgradePrepared  UpgradeState = "prepared"  // the version is chosen, and nothing is made
	UpgradeTrying    UpgradeState = "trying"    // the data are copied for a trial, while the add-on serves
	UpgradeCopying   UpgradeState = "copying"   // the data are copied, and nobody else reaches them
	UpgradeClearing  UpgradeState = "clearing"  // what was made for it is removed, for it failed or was a trial
	UpgradeReturning UpgradeState = "returning" // the other place is to serve again
	UpgradeSwitched  UpgradeState = "switched"  // the place that serves is another one, and apps are about to reach it
	UpgradeDropping  UpgradeState = "dropping"  // what was kept is removed

	UpgradeTried  UpgradeState = "tried"  // the trial went well
	UpgradeFailed UpgradeState = "failed" // all is as it was before
	UpgradeKept   UpgradeState = "kept"   // it is done, and the data of the other version are kept
)

// UnderWay tells whether something is being done.
func (u Upgrade) UnderWay() bool {
	return slices.Contains([]UpgradeState{
		UpgradeTrying, UpgradeCopying, UpgradeClearing, UpgradeReturning, UpgradeSwitched, UpgradeDropping,
	}, u.State)
}

// HasOther tells whether there may be something in the other place.
func (u Upgrade) HasOther() bool { return u.UnderWay() || u.State == UpgradeKept }

// Place is the one that serves. version is the version of an add-on that names none.
func (a AddOn) Place(version string) Place {
	return Place{Home: a.Home, Version: cmp.Or(a.Options["version"], version)}
}

// At is the add-on as it is in another place.
func (a AddOn) At(p Place) AddOn {
	a = a.Clone()
	if a.Options == nil {
		a.Options = map[string]string{}
	}
	a.Home, a.Options["version"] = p.Home, p.Version
	return a
}

// CompareVersions compares versions of a service by their numbers: 9 < 10 < 10.11.
func CompareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, err := strconv.Atoi(x)
		n, err2 := strconv.Atoi(y)
		if err != nil || err2 != nil {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(m, n)
	})
}
