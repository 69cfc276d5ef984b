//! One test for each rule of the Raft paper's Figure 2 and of its sections 5, 6 and 8 that applies,
//! driven through the public API. Section numbers are those of the extended version.
//!
//! Where this library does more than the rule asks, a pre-vote before each election for example, the
//! test shows the rule as it is kept here. Of the log, `1@1` founds the group, `2@2` opens the term
//! of its first leader n1, and `3@2` is the session of the first node that asks for something.

mod support;

use hamok::{Birth, Config, ConfigError, EntryId, Incarnation, Index, NodeId, Role, Term, Ticks};
use support::Cluster;

/// n1 is cut off until it leads no more; n2 and n3 stand in term 3, each with its own vote.
const TWO_CANDIDATES: &str = "group 3
    isolate 1
    tick 1 20
    heal
    campaign 2
    campaign 3
    deliver 2 3 PreVote
    deliver 3 2 PreVote
    deliver 2 3 PreVoteGranted
    deliver 3 2 PreVoteGranted
    show RequestVote RequestVoteReply";

/// n1 holds 4@2 to 6@2, of which 5@2 and 6@2 went nowhere; n3 leads term 3 and committed 5@3 to 7@3.
const DIVERGED: &str = "group 3 timeout=500
    request 1 set k 0
    settle
    isolate 1
    request 1 set k 1
    request 1 set k 2
    tick 2 10
    elect 3
    settle
    request 3 set k 3
    settle
    heal
    show persists AppendEntries AppendEntriesReply";

// Figure 2, state: what is persistent and what is not.

#[test]
fn term_and_vote_are_stored_before_they_are_spoken_of() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("disk 1 held\n show persists RequestVoteReply\n deliver 3 1");
    assert_eq!(outcome(&cluster), ["n1: persist w1.5; life 1 t3 vote n3"]);
    cluster.play("confirm 1");
    assert_eq!(outcome(&cluster), ["n1→n3 RequestVoteReply t3 granted"]);
}

#[test]
fn entries_are_stored_before_they_are_acknowledged() {
    let mut cluster = after(
        "group 3
        request 1 set k 1
        disk 2 held
        show persists AppendEntriesReply
        deliver 1 2",
    );
    assert_eq!(outcome(&cluster), ["n2: persist w1.4; append after 2@2 3@2"]);
    cluster.play("confirm 2");
    assert_eq!(outcome(&cluster), ["n2→n1 AppendEntriesReply t2 matched 3"]);
}

#[test]
fn commit_index_and_last_applied_start_at_zero_in_every_life() {
    let cluster = after(
        "group 3
        crash 2
        restart 2",
    );
    assert_eq!(applied(&cluster, 2), (0, 0));
    assert_eq!(last(&cluster, 2), entry(2, 2), "the log is there");
}

// Figure 2, AppendEntries, as the receiver.

#[test]
fn append_entries_of_an_earlier_term_are_refused() {
    let mut cluster = after(
        "group 3
        isolate 1
        tick 2 10
        elect 3
        settle
        heal
        request 1 set k 1
        show AppendEntriesReply TermPassed",
    );
    cluster.play("deliver 1 2");
    let dropped = "n2: dropped envelope from n1#11.1: stale term, ours is t3";
    assert!(!outcome(&cluster).iter().any(|line| line.contains("AppendEntriesReply")));
    assert_eq!(last(&cluster, 2), entry(3, 3));
    cluster.play("tick 1 2\n show events TermPassed\n deliver 1 2");
    assert!(outcome(&cluster).contains(&dropped));
    assert!(outcome(&cluster).contains(&"n2→n1 TermPassed t3"));
}

#[test]
fn append_entries_are_refused_when_the_previous_entry_is_missing() {
    let mut cluster = after(
        "group 3
        request 1 set k 1
        settle
        request 1 set k 2
        drop 1 2
        request 1 set k 3
        show AppendEntriesReply",
    );
    cluster.play("deliver 1 2");
    assert_eq!(outcome(&cluster), ["n2→n1 AppendEntriesReply t2 conflict at 5 hint 4@2"]);
}

#[test]
fn append_entries_are_refused_when_the_previous_entry_is_of_another_term() {
    let mut cluster = after(DIVERGED);
    // A leader elected anew knows nothing of the others' logs and begins at its own end.
    cluster
        .play("isolate 1\n tick 2 10\n crash 3\n restart 3\n elect 2\n settle\n heal\n tick 2 2");
    cluster.play("deliver 2 1\n deliver 1 2");
    assert_eq!(outcome(&cluster), ["n2→n1 AppendEntries t4 after 7@3 8@4 commit 8"]);
    cluster.play("deliver 2 1");
    assert_eq!(outcome(&cluster), ["n1→n2 AppendEntriesReply t4 conflict at 7 hint 6@2"]);
}

#[test]
fn a_conflicting_entry_and_all_after_it_are_deleted() {
    let mut cluster = after(DIVERGED);
    assert_eq!(last(&cluster, 1), entry(6, 2));
    cluster.play("tick 3 2\n deliver 3 1\n deliver 1 3\n show persists\n deliver 3 1");
    assert_eq!(
        outcome(&cluster),
        ["n1: persist w1.10; truncate after 4; append after 4@2 5@3..7@3"]
    );
    assert_eq!(last(&cluster, 1), entry(7, 3));
}

#[test]
fn entries_already_in_the_log_are_not_appended_again() {
    let mut cluster = after(
        "group 3
        request 1 set k 1
        copy 1 2 AppendEntries
        settle
        bring-back
        show persists AppendEntriesReply",
    );
    cluster.play("deliver 1 2");
    assert_eq!(outcome(&cluster), ["n2→n1 AppendEntriesReply t2 matched 3"]);
}

#[test]
fn a_follower_commits_no_further_than_the_last_entry_it_was_sent() {
    let mut cluster = after(DIVERGED);
    cluster.play("tick 3 2\n deliver 3 1 Heartbeat");
    let leader = cluster.status(NodeId::new(3));
    assert_eq!(leader.committed, Index::new(7), "which the heartbeat said");
    assert_eq!(last(&cluster, 1), entry(6, 2));
    assert_eq!(applied(&cluster, 1), (4, 4));
}

// Figure 2, RequestVote, as the receiver.

#[test]
fn a_vote_in_an_earlier_term_is_refused() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("aside 3 1 RequestVote\n drop all all\n elect 2\n bring-back\n show events RequestVoteReply");
    assert_eq!(term(&cluster, 1), 4);
    cluster.play("deliver 3 1");
    let refused = "n1: vote refused to n3 for t3: stale term, ours is t4";
    assert_eq!(outcome(&cluster), [refused, "n1→n3 RequestVoteReply t4 refused"]);
}

#[test]
fn a_vote_is_given_to_the_first_that_asks_and_to_no_other() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("deliver 3 1");
    assert_eq!(outcome(&cluster), ["n1→n3 RequestVoteReply t3 granted"]);
    cluster.play("deliver 2 1");
    assert_eq!(outcome(&cluster), ["n1→n2 RequestVoteReply t3 refused"]);
}

#[test]
fn a_vote_is_given_again_to_the_same_candidate() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("copy 3 1 RequestVote\n deliver 3 1\n drop 1 3\n bring-back\n deliver 3 1");
    assert_eq!(outcome(&cluster), ["n1→n3 RequestVoteReply t3 granted"]);
}

#[test]
fn a_vote_needs_a_log_at_least_as_up_to_date() {
    let mut cluster = after(
        "group 3
        isolate 3
        request 1 set k 1
        settle
        crash 1
        heal
        tick 2 10
        campaign 3",
    );
    cluster.play("deliver 3 2");
    assert_eq!(
        outcome(&cluster),
        ["n2: pre-vote refused to n3 for t3: log behind, 2@2 against 4@2"]
    );
}

#[test]
fn the_later_last_term_is_more_up_to_date_than_the_longer_log() {
    let mut cluster = after(DIVERGED);
    cluster.play(
        "isolate 3\n crash 3\n request 1 set k 4\n request 1 set k 5\n tick 1 20\n tick 2 10",
    );
    assert_eq!((last(&cluster, 1), last(&cluster, 2)), (entry(8, 2), entry(7, 3)));
    cluster.play("heal\n drop all all\n campaign 1\n show events\n deliver 1 2");
    assert_eq!(outcome(&cluster), ["n2: pre-vote refused to n1 for t3: stale term, ours is t3"]);
    cluster.play("deliver 2 1\n campaign 1\n deliver 1 2");
    assert_eq!(
        outcome(&cluster),
        ["n2: pre-vote refused to n1 for t4: log behind, 8@2 against 7@3"]
    );
}

// Figure 2, all servers.

#[test]
fn what_is_committed_is_applied() {
    let cluster = after(
        "group 3
        request 1 set k 1
        settle",
    );
    for node in 1..=3 {
        assert_eq!(applied(&cluster, node), (4, 4));
    }
}

#[test]
fn a_higher_term_makes_a_follower_of_anyone() {
    let cluster = after(
        "group 3
        isolate 1
        tick 2 10
        elect 3
        settle
        heal
        tick 3 2
        deliver 3 1",
    );
    assert_eq!((role(&cluster, 1), term(&cluster, 1)), (Role::Follower, 3));
}

// Figure 2, followers.

#[test]
fn a_follower_stands_when_it_has_not_heard_from_a_leader() {
    let mut cluster = after(
        "group 3
        tick 2 9",
    );
    assert_eq!(role(&cluster, 2), Role::Follower, "the least time-out is ten ticks");
    cluster.play("tick 2 10");
    assert_eq!(role(&cluster, 2), Role::PreCandidate, "the longest is nineteen");
}

#[test]
fn a_follower_that_hears_from_its_leader_does_not_stand() {
    let cluster = after(
        "group 3
        run 200",
    );
    for node in 1..=3 {
        assert_eq!(
            (cluster.status(NodeId::new(node)).leader, term(&cluster, node)),
            (Some(NodeId::new(1)), 2)
        );
    }
}

// Figure 2, candidates.

#[test]
fn a_candidate_begins_a_term_votes_for_itself_and_asks_the_others() {
    let cluster = after(
        "group 3
        tick 3 10
        crash 1
        campaign 2
        show persists RequestVote
        settle",
    );
    assert_eq!(
        outcome(&cluster)[..3],
        [
            "n2: persist w1.4; life 1 t3 vote n2",
            "n2→n1 RequestVote t3 last 2@2",
            "n2→n3 RequestVote t3 last 2@2"
        ]
    );
}

#[test]
fn a_candidate_with_a_majority_leads() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("deliver 3 1");
    assert_eq!(role(&cluster, 3), Role::Candidate, "it has its own vote only");
    cluster.play("deliver 1 3");
    assert_eq!(role(&cluster, 3), Role::Leader);
}

#[test]
fn a_candidate_counts_no_vote_of_an_earlier_term() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("deliver 3 1\n aside 1 3 RequestVoteReply\n drop all all\n campaign 3");
    cluster.play("deliver 3 2 PreVote\n deliver 2 3 PreVoteGranted\n drop all all");
    assert_eq!((role(&cluster, 3), term(&cluster, 3)), (Role::Candidate, 4));
    cluster.play("bring-back\n deliver 1 3");
    assert_eq!((role(&cluster, 3), term(&cluster, 3)), (Role::Candidate, 4));
}

#[test]
fn a_candidate_follows_the_leader_of_its_term() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("deliver 2 1\n deliver 1 2\n deliver 2 3");
    assert_eq!((role(&cluster, 2), role(&cluster, 3)), (Role::Leader, Role::Follower));
}

#[test]
fn a_candidate_that_neither_wins_nor_loses_stands_again() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("crash 1\n settle");
    assert_eq!((role(&cluster, 2), role(&cluster, 3)), (Role::Candidate, Role::Candidate));
    cluster.play("run 60");
    let leaders = [2, 3].map(|node| role(&cluster, node) == Role::Leader);
    assert!(leaders == [true, false] || leaders == [false, true]);
    assert!(term(&cluster, 2) > 3);
}

// Figure 2, leaders.

#[test]
fn a_leader_sends_heartbeats_upon_election_and_when_idle() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("deliver 3 1\n show Heartbeat\n deliver 1 3");
    assert_eq!(
        outcome(&cluster),
        ["n3→n1 Heartbeat t3 commit 2 round 1", "n3→n2 Heartbeat t3 commit 2 round 1"]
    );
    cluster.play("tick 3 2");
    assert_eq!(
        outcome(&cluster),
        ["n3→n1 Heartbeat t3 commit 2 round 2", "n3→n2 Heartbeat t3 commit 2 round 2"]
    );
}

#[test]
fn a_leader_appends_a_command_and_answers_once_it_is_applied() {
    let mut cluster = after(
        "group 3
        request 1 set k 0
        settle
        show persists replies
        request 1 set k 1",
    );
    assert_eq!(outcome(&cluster), ["n1: persist w1.7; append after 4@2 5@2"]);
    cluster.play("show replies\n deliver 1 2\n deliver 2 1");
    assert_eq!(outcome(&cluster), [r#"n1: reply r2 done at 5: {"k" = "0"}"#]);
}

#[test]
fn a_leader_sends_what_a_follower_is_missing() {
    let mut cluster = after(
        "group 3
        isolate 3
        request 1 set k 1
        settle
        request 1 set k 2
        settle
        heal
        tick 1 2
        deliver 1 3
        show AppendEntries",
    );
    cluster.play("deliver 3 1");
    assert_eq!(outcome(&cluster), ["n1→n3 AppendEntries t2 after 2@2 3@2..5@2 commit 5"]);
}

#[test]
fn a_leader_goes_back_until_the_logs_match() {
    let mut cluster = after(DIVERGED);
    cluster
        .play("isolate 1\n tick 2 10\n crash 3\n restart 3\n elect 2\n settle\n heal\n tick 2 2");
    cluster.play("deliver 2 1\n deliver 1 2\n deliver 2 1\n deliver 1 2");
    assert_eq!(outcome(&cluster), ["n2→n1 AppendEntries t4 after 4@2 5@3..8@4 commit 8"]);
    cluster.play("deliver 2 1");
    assert_eq!(outcome(&cluster)[1..], ["n1→n2 AppendEntriesReply t4 matched 8"]);
}

#[test]
fn a_leader_commits_what_a_majority_holds() {
    let mut cluster = after(
        "group 5
        request 1 set k 1
        deliver 1 2
        deliver 2 1",
    );
    assert_eq!(applied(&cluster, 1), (2, 2), "two of five hold 3@2");
    cluster.play("deliver 1 3\n deliver 3 1");
    assert_eq!(applied(&cluster, 1), (3, 3), "three of five do");
}

#[test]
fn a_leader_counts_copies_of_its_own_terms_entries_only() {
    let mut cluster = after(
        "group 3 message-bytes=1
        request 1 set k 1
        drop all all
        crash 1
        restart 1
        tick 2 10
        tick 3 10
        elect 1",
    );
    cluster.play(
        "deliver 1 2 AppendEntries\n deliver 2 1\n deliver 1 2 AppendEntries first\n deliver 2 1",
    );
    assert_eq!(last(&cluster, 2), entry(3, 2), "two of three hold 3@2, of an earlier term");
    assert_eq!(applied(&cluster, 1), (0, 0));
    cluster.play("deliver 1 2\n deliver 2 1");
    assert_eq!(last(&cluster, 2), entry(4, 3));
    assert_eq!(cluster.status(NodeId::new(1)).committed, Index::new(4), "and so does 3@2 below it");
}

// Sections 5, 6 and 8.

/// §5.2.
#[test]
fn election_timeouts_differ_from_node_to_node_and_from_time_to_time() {
    let waits = |seed: u64, node: u64| {
        let mut cluster = after(&format!("group 7 seed={seed}"));
        let status = cluster.status(NodeId::new(node));
        let first = status.idle_ticks.get();
        cluster.play(&format!("tick {node} 1\n tick 1 2\n settle"));
        (first, cluster.status(NodeId::new(node)).idle_ticks.get())
    };
    let drawn: Vec<(u64, u64)> = (2..=7).map(|node| waits(0, node)).collect();
    assert!(drawn.iter().any(|waits| *waits != drawn[0]), "{drawn:?}");
    assert!(drawn.iter().all(|(first, again)| (1..20).contains(first) && (1..20).contains(again)));
    assert_eq!(drawn[0], waits(0, 2), "the same seed gives the same");
    assert!((1..9).any(|seed| waits(seed, 2) != drawn[0]));
}

/// §5.3.
#[test]
fn logs_that_share_an_entry_share_all_before_it() {
    let cluster = after(
        "group 5 timeout=500
        request 1 set k 1
        settle
        isolate 1
        request 1 set k 2
        tick all 12
        run 40
        request 2 set k 3
        run 40
        heal
        run 40
        same",
    );
    let logs: Vec<EntryId> = (1..=5).map(|node| last(&cluster, node)).collect();
    assert!(logs.iter().all(|last| *last == logs[0]), "{logs:?}");
}

/// §5.4.3.
#[test]
fn a_leader_holds_every_entry_that_was_committed_before() {
    let cluster = after(
        "group 3
        isolate 3
        request 1 set k 1
        settle
        isolate 1
        heal
        crash 1
        run 80
        request 3 read k
        show replies
        run 5",
    );
    assert_eq!(role(&cluster, 2), Role::Leader, "n3 lacked what was committed");
    assert_eq!(outcome(&cluster), [r#"n3: reply r2 done at 5: {"k" = "1"}"#]);
}

/// §5.5.
#[test]
fn what_a_crashed_node_missed_is_sent_until_it_answers() {
    let cluster = after(
        "group 3
        crash 3
        request 1 set k 1
        run 30
        restart 3
        run 10
        same",
    );
    assert_eq!(applied(&cluster, 3), (4, 4));
}

/// §5.6.
#[test]
fn heartbeats_come_more_often_than_elections() {
    let mut config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
    config.heartbeat_interval = config.election_timeout;
    let (heartbeat, election) = (Ticks::new(10), Ticks::new(10));
    let error = hamok::Node::new(config).expect_err("a leader could not stay in office");
    assert_eq!(error, ConfigError::HeartbeatTooLong { heartbeat, election });
}

/// §6, last paragraph.
#[test]
fn a_node_that_hears_from_a_leader_gives_no_vote() {
    let mut cluster = after(
        "group 3
        cut-one-way 1 3
        campaign 3",
    );
    cluster.play("deliver 3 2");
    assert_eq!(outcome(&cluster), ["n2: pre-vote refused to n3 for t3: leader n1 is alive"]);
    assert_eq!((term(&cluster, 2), role(&cluster, 1)), (2, Role::Leader));
}

/// §8.
#[test]
fn clients_may_ask_any_node() {
    let cluster = after(
        "group 3
        request 3 set k 1
        show replies
        settle",
    );
    assert_eq!(outcome(&cluster), ["n3: reply r1 done at 4: {}"]);
}

/// §8.
#[test]
fn a_command_sent_twice_is_executed_once() {
    let cluster = after(
        "group 3
        request 1 open-session
        settle
        request 1 set k 1 in=4/1/1
        settle
        request 2 set k 1 in=4/1/1
        show events replies
        settle",
    );
    assert_eq!(outcome(&cluster), ["n2: reply r3 done at 5: {}"]);
}

/// §8.
#[test]
fn a_leader_opens_its_term_with_an_entry_of_its_own() {
    let cluster = after(
        "group 3
        crash 1
        tick 2 10
        elect 3",
    );
    assert_eq!(last(&cluster, 3), entry(3, 3));
}

/// §8.
#[test]
fn a_leader_serves_reads_once_an_entry_of_its_term_is_committed() {
    let mut cluster = after(
        "group 3
        crash 1
        tick 2 10
        elect 3
        request 3 read k
        show replies",
    );
    cluster.play("deliver 3 2 Heartbeat\n deliver 2 3 HeartbeatReply");
    assert_eq!(outcome(&cluster), [""; 0]);
    cluster.play("settle");
    assert_eq!(outcome(&cluster), ["n3: reply r1 done at 3: {}"]);
}

/// §8.
#[test]
fn a_leader_serves_reads_once_a_majority_has_answered_a_heartbeat() {
    let mut cluster = after(
        "group 3
        show replies
        request 1 read k",
    );
    assert_eq!(outcome(&cluster), [""; 0]);
    cluster.play("deliver 1 2\n deliver 2 1");
    assert_eq!(outcome(&cluster), ["n1: reply r1 done at 2: {}"]);
}

fn after(script: &str) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.play(script);
    cluster
}

/// What came of the last command.
fn outcome(cluster: &Cluster) -> Vec<&str> {
    let lines: Vec<&str> = cluster.transcript().lines().collect();
    let command = lines.iter().rposition(|line| !line.starts_with(' ')).map_or(0, |at| at + 1);
    lines[command..].iter().map(|line| line.trim()).collect()
}

fn role(cluster: &Cluster, node: u64) -> Role {
    cluster.status(NodeId::new(node)).role
}

fn term(cluster: &Cluster, node: u64) -> u64 {
    cluster.status(NodeId::new(node)).term.get()
}

fn last(cluster: &Cluster, node: u64) -> EntryId {
    cluster.status(NodeId::new(node)).last
}

/// How far a node has committed and applied.
fn applied(cluster: &Cluster, node: u64) -> (u64, u64) {
    let status = cluster.status(NodeId::new(node));
    (status.committed.get(), status.applied.get())
}

fn entry(index: u64, term: u64) -> EntryId {
    EntryId::new(Index::new(index), Term::new(term))
}
