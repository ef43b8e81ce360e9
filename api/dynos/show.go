package dynos

import "renga"

// Show gives a dyno as JSON, for other families.
func Show(a renga.App, d renga.Dyno) any { return newDyno(a, d) }

// ShowProcess gives a process type of an app as JSON, for other families.
func ShowProcess(a renga.App, t renga.ProcessType, scale renga.Scale) any {
	return newFormation(a, t, scale, nil)
}
