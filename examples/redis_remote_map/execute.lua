-- Executes one operation on the entries of one map, if the map's row allows it, and keeps the row.
-- Redis runs a script as a whole and writes down its effects as a whole: entries and row agree even
-- after a crash. Group, term and indexes are decimal numbers of twenty digits, since those of Lua are
-- exact only up to 2^53; so they are compared as text.
local entries, row = KEYS[1], KEYS[2]
local group, term, index, previous, adopt, verb = unpack(ARGV, 1, 6)
local args = {}
for at = 7, #ARGV do args[at - 6] = ARGV[at] end
local nothing = string.rep('0', 20)

-- What `Fence::judge` does.
local their, highest, last, outcome = unpack(redis.call('HMGET', row, 'group', 'term', 'last', 'outcome'))
if not their then
    if adopt == '0' and previous ~= nothing then return {'out of order', nothing} end
elseif their ~= group then
    if adopt == '0' then return {'other group', their} end
elseif term < highest then
    return {'term passed', highest}
elseif last == index then
    redis.call('HSET', row, 'term', term)
    return cmsgpack.unpack(outcome)
elseif last ~= previous and (adopt == '0' or last > index) then
    return {'out of order', last}
end

-- The answer: a list of values (or false for none), or of numbers.
local answer = {}
local function get(key) return redis.call('HGET', entries, key) end
local verbs = {
    set = function()
        for at = 1, #args, 2 do
            answer[#answer + 1] = get(args[at])
            redis.call('HSET', entries, args[at], args[at + 1])
        end
    end,
    insert = function()
        for at = 1, #args, 2 do
            answer[#answer + 1] = get(args[at])
            redis.call('HSETNX', entries, args[at], args[at + 1])
        end
    end,
    update_if = function()
        local fits = get(args[1]) == args[3]
        if fits then redis.call('HSET', entries, args[1], args[2]) end
        answer[1] = fits and 1 or 0
    end,
    remove = function()
        for at = 1, #args do
            answer[at] = get(args[at])
            redis.call('HDEL', entries, args[at])
        end
    end,
    remove_if = function()
        local fits = get(args[1]) == args[2]
        if fits then redis.call('HDEL', entries, args[1]) end
        answer[1] = fits and 1 or 0
    end,
    delete = function()
        for at = 1, #args do answer[at] = redis.call('HDEL', entries, args[at]) end
    end,
    clear = function()
        answer[1] = redis.call('HLEN', entries)
        redis.call('UNLINK', entries)
    end,
    adopt = function() end,
}

-- Nothing else that a verb does can fail, so whatever fails for good has changed nothing.
local kind = redis.call('TYPE', entries).ok
local ended
if kind ~= 'none' and kind ~= 'hash' then
    ended = {'failed', 'the entries are not a hash but a ' .. kind}
else
    verbs[verb]()
    ended = {'done', answer}
end
redis.call('HSET', row, 'group', group, 'term', term, 'last', index, 'outcome', cmsgpack.pack(ended))
return ended
