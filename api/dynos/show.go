package dynos

import "renga"

// Show is a dyno on the wire, for other families.
func Show(a renga.App, d renga.Dyno) any { return newDyno(a, d) }

// ShowProcess is a process type of an app on the wire, for other families.
func ShowProcess(a renga.App, t renga.ProcessType, scale renga.Scale) any {
	return newFormation(a, t, scale, nil)
}
