package dovecot

// VersionInside is for the tests beside the package, which need dovecottest.
var VersionInside = versionInside
