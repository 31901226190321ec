// Package ext fills a hole in Traefik's module graph: its go.mod points at a sibling directory
// for two types that outsiders may extend. That directory is not published on its own,
// so this module supplies the two types without any fields.
package ext

// HTTP is embedded by Traefik in what it holds of HTTP configuration.
type HTTP struct{}

// Router is embedded by Traefik in each router.
type Router struct{}
