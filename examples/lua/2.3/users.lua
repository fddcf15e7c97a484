-- In the place of whatever knows the users: lines of NAME:PASSWORD.
local function password(name)
  for line in io.lines("/srv/mail/users") do
    local user, secret = line:match("^([^:]+):(.*)$")
    if user == name then return secret end
  end
end

function auth_passdb_lookup(request)
  local secret = password(request.user)
  if not secret then return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "" end
  return dovecot.auth.PASSDB_RESULT_OK, { password = "{PLAIN}" .. secret }
end

function auth_userdb_lookup(request)
  if not password(request.user) then return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "" end
  return dovecot.auth.USERDB_RESULT_OK, { uid = "vmail", gid = "vmail", home = "/srv/mail/" .. request.user }
end
