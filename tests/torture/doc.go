// Package torture does to a running pidgeon what operators, disks and kernels do
// to it, and holds it to its promise: whatever lands in the overrides, the
// running server goes on serving, old sessions live, new logins work, and the
// operator reads what is wrong and where.
//
// All of it is tests. `go test ./tests/torture` plays a sample of the bad overrides;
// `make torture` plays all of them and prints a table.
package torture
