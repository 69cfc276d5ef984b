//! One test for each rule of the Raft paper's Figure 2, of its sections 5 to 8, and of the thesis's
//! chapters on transfer and membership that applies, driven through the public API. Section numbers are
//! those of the extended version unless the thesis is named.
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

/// The logs of Figure 7, by the leaders that made them. Who has led for its part is down afterwards.
const FIGURE_7: &str = "group 7
    request 1 open-session
    settle
    tick all 20
    # f leads two terms for itself alone
    elect 7
    request 7 set k 1 in=4/1/1
    request 7 set k 1 in=4/2/1
    crash 7
    restart 7
    elect 7
    request 7 set k 2 in=4/1/1
    request 7 set k 2 in=4/2/1
    request 7 set k 2 in=4/3/1
    request 7 set k 2 in=4/4/1
    crash 7
    drop all all
    tick all 20
    # e leads: two entries go to most and one of them to b, two to nobody
    elect 6
    deliver 6 all AppendEntries
    deliver all 6
    request 6 set k 3 in=4/5/1
    drop 6 3
    deliver 6 all AppendEntries
    request 6 set k 3 in=4/6/1
    request 6 set k 3 in=4/7/1
    crash 6
    drop all all
    tick all 20
    # the later leader leads for the first time
    elect 1
    drop 1 3
    deliver 1 all AppendEntries
    deliver all 1
    request 1 set k 4 in=4/8/1
    deliver 1 all AppendEntries
    crash 1
    restart 1
    drop all all
    tick all 20
    # c leads: two entries go to a, three to d and the later leader, four to itself
    elect 4
    drop 4 3
    deliver 4 all AppendEntries
    deliver all 4
    request 4 set k 5 in=4/9/1
    deliver 4 all AppendEntries
    request 4 set k 5 in=4/10/1
    drop 4 2
    deliver 4 all AppendEntries
    request 4 set k 5 in=4/11/1
    drop all all
    crash 4
    restart 6
    tick all 20
    drop all all
    # d leads for itself alone
    elect 5
    request 5 set k 6 in=4/12/1
    crash 5
    crash 6
    drop all all
    tick all 20";

/// n3 was sent a snapshot up to 4@2 and then 5@2; a copy of the snapshot's only part is to come again.
const COMPACTED: &str = "group 3 log-entries=4 trailing-bytes=0
    isolate 3
    request 1 set k 1
    settle
    request 1 set k 2
    settle
    heal
    tick 1 2
    deliver 1 3
    deliver 3 1
    deliver 1 3
    deliver 3 1
    copy 1 3 InstallSnapshot
    settle";

// Figure 2, state: what is persistent and what is not.

#[test]
fn term_and_vote_are_stored_before_they_are_spoken_of() {
    let mut cluster = after(TWO_CANDIDATES);
    cluster.play("disk 1 held\n show persists RequestVoteReply\n deliver 3 1");
    assert_eq!(outcome(&cluster), ["n1: persist w1.6; life 1 t3 vote n3"]);
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
    assert_eq!(outcome(&cluster), ["n2: persist w1.5; append after 2@2 3@2"]);
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
        ["n1: persist w1.11; truncate after 4; append after 4@2 5@3..7@3"]
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
            "n2: persist w1.5; life 1 t3 vote n2",
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
    assert_eq!(outcome(&cluster), ["n1: persist w1.8; append after 4@2 5@2"]);
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

/// §5.3, Figure 7: n1 leads the term after; n2 to n7 are a to f there. Each log is longer by one here,
/// since four entries come of founding the group, electing n1 and opening sessions, not three.
#[test]
fn a_leader_makes_any_log_its_own() {
    let mut cluster = after(FIGURE_7);
    let logs: Vec<Vec<u64>> = (1..=7).map(|node| terms(&cluster, node)).collect();
    // The terms 7, 9, 11 and 12 are 4 to 7 in the figure, and 4 and 5 are 2 and 3: candidates who found
    // that another term had begun went on to the next.
    let shapes: [&[u64]; 7] = [
        &[1, 2, 2, 2, 7, 7, 9, 9, 11, 11, 11],
        &[1, 2, 2, 2, 7, 7, 9, 9, 11, 11],
        &[1, 2, 2, 2, 7],
        &[1, 2, 2, 2, 7, 7, 9, 9, 11, 11, 11, 11],
        &[1, 2, 2, 2, 7, 7, 9, 9, 11, 11, 11, 12, 12],
        &[1, 2, 2, 2, 7, 7, 7, 7],
        &[1, 2, 2, 2, 4, 4, 4, 5, 5, 5, 5, 5],
    ];
    assert_eq!(logs, shapes);
    cluster
        .play("restart 4\n restart 5\n restart 6\n restart 7\n elect 1\n settle\n run 30\n same");
    let mine = cluster.stored(NodeId::new(1));
    for node in 2..=7 {
        let theirs = cluster.stored(NodeId::new(node));
        assert_eq!(theirs.entries(), mine.entries(), "n{node}");
    }
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

// §6, and the thesis's chapter 4: changes of the members.

#[test]
fn a_configuration_is_in_force_once_it_is_appended() {
    let cluster = after("group 4\n request 1 change -4");
    assert_eq!(applied(&cluster, 1), (2, 2));
    assert_eq!(members(&cluster, 1), "{n1 n2 n3 -n4}");
    assert_eq!(members(&cluster, 2), "{n1 n2 n3 n4}");
}

#[test]
fn a_configuration_is_rolled_back_with_its_entry() {
    let mut cluster = after("group 3\n isolate 1\n request 1 change -2 -3 timeout=5");
    assert_eq!(members(&cluster, 1), "{n1 -n2 -n3}");
    cluster.play("tick 2 10\n elect 3\n settle\n tick 1 20\n heal\n run 3");
    assert_eq!(members(&cluster, 1), "{n1 n2 n3}");
}

#[test]
fn a_joint_configuration_commits_with_a_majority_of_the_old_and_of_the_new() {
    // Of the old n3 is missing: two of four.
    let mut cluster = after("group 4\n request 1 change -3 -4\n deliver 1 2\n deliver 2 1");
    assert_eq!(applied(&cluster, 1).0, 2);
    cluster.play("deliver 1 3\n deliver 3 1");
    assert_eq!(applied(&cluster, 1).0, 3);
    // Of the new n4 and n5 are missing: one of three.
    let mut cluster = after(
        "group 5
        request 1 change -2 -3
        deliver 1 2
        deliver 1 3
        deliver 2 1
        deliver 3 1",
    );
    assert_eq!(applied(&cluster, 1).0, 2);
    cluster.play("deliver 1 4\n deliver 4 1");
    assert_eq!(applied(&cluster, 1).0, 3);
}

#[test]
fn a_candidate_needs_a_majority_of_the_old_and_of_the_new() {
    let mut cluster = after(
        "group 5
        request 1 change -2 -3
        deliver 1 2
        deliver 1 3
        crash all
        restart 2
        restart 3
        restart 4
        run 60",
    );
    // Three of the old five, but one of the new three.
    assert!((2..=4).all(|node| role(&cluster, node) != Role::Leader));
    cluster.play("restart 5\n run 40");
    assert_eq!(members(&cluster, 4), "{n1 n4 n5}");
}

#[test]
fn a_joint_configuration_is_left_once_it_is_committed() {
    let mut cluster = after("group 3\n request 1 change -3\n deliver 1 2");
    assert_eq!(members(&cluster, 1), "{n1 n2 -n3}");
    cluster.play("deliver 2 1");
    assert_eq!(members(&cluster, 1), "{n1 n2}");
}

#[test]
fn a_new_leader_leaves_a_joint_configuration_only_under_an_entry_of_its_own() {
    let mut cluster = after(
        "group 3
        request 1 change -1
        deliver 1 2
        deliver 1 3
        crash 1
        drop all all
        tick 2 20
        drop all all
        elect 3",
    );
    assert_eq!(members(&cluster, 3), "{-n1 n2 n3}");
    cluster.play("deliver 3 2\n deliver 2 3");
    assert_eq!(members(&cluster, 3), "{n2 n3}");
}

/// Thesis §4.1, by its correction of 2015.
#[test]
fn a_new_leader_changes_nothing_before_an_entry_of_its_term_is_committed() {
    let mut cluster = after("group 3\n crash 1\n tick 2 10\n elect 3\n request 3 change -1");
    assert_eq!(members(&cluster, 3), "{n1 n2 n3}");
    cluster.play("settle\n run 12");
    assert_eq!(members(&cluster, 3), "{n2 n3}");
}

/// Thesis §4.1.
#[test]
fn one_change_is_under_way_at_a_time() {
    let mut cluster = after("group 5\n request 1 change -5\n request 1 change -4");
    assert_eq!(members(&cluster, 1), "{n1 n2 n3 n4 -n5}");
    cluster.play("run 12");
    assert_eq!(members(&cluster, 1), "{n1 n2 n3}");
}

/// Thesis §4.2.1.
#[test]
fn a_new_server_votes_only_once_it_has_caught_up() {
    let mut cluster = after(
        "group 3
        join 4
        deliver 4 1
        deliver 1 4
        deliver 4 1 Join
        disk 4 held
        run 10",
    );
    assert_eq!(members(&cluster, 1), "{n1 n2 n3 ~n4}");
    cluster.play("confirm 4\n disk 4 fast\n run 4");
    assert_eq!(members(&cluster, 1), "{n1 n2 n3 n4}");
}

/// Thesis §4.2.2.
#[test]
fn a_leader_that_is_removed_leads_until_that_is_committed_and_does_not_count_itself() {
    let mut cluster = after("group 3\n request 1 change -1\n deliver 1 2\n deliver 2 1");
    assert_eq!(role(&cluster, 1), Role::Leader);
    assert_eq!(members(&cluster, 1), "{-n1 n2 n3}", "of the new voters only n2 has it");
    cluster.play("deliver 1 3\n deliver 3 1");
    assert_eq!(members(&cluster, 1), "{n2 n3}");
    cluster.play("run 30");
    assert_eq!(role(&cluster, 1), Role::Follower);
    assert!((2..=3).any(|node| role(&cluster, node) == Role::Leader));
}

/// Thesis §4.2.3.
#[test]
fn a_removed_server_disrupts_nobody() {
    let cluster = after("group 4\n isolate 4\n request 1 change -4\n run 30\n heal\n run 60");
    assert_eq!((term(&cluster, 1), role(&cluster, 1)), (2, Role::Leader));
    assert_eq!(term(&cluster, 4), 2);
}

// §7: snapshots.

#[test]
fn each_server_takes_snapshots_by_itself_of_what_is_committed() {
    let mut cluster = after(
        "group 3 log-entries=4 trailing-bytes=0
        request 1 set k 1
        deliver 1 2
        deliver 2 1
        deliver 1 2
        deliver 2 1
        deliver 1 2",
    );
    let snapshots = [1, 2, 3].map(|node| cluster.status(NodeId::new(node)).snapshot);
    assert_eq!(snapshots, [entry(4, 2), entry(4, 2), EntryId::ZERO]);
    cluster.play("settle");
    assert_eq!(cluster.status(NodeId::new(3)).snapshot, entry(4, 2));
}

#[test]
fn a_snapshot_has_the_last_entry_it_covers_and_the_configuration_there() {
    let cluster = after(
        "group 3 log-entries=5 trailing-bytes=0
        request 1 set k 1
        settle
        request 1 set k 2
        request 1 change ~4
        deliver 1 2
        deliver 2 1",
    );
    assert_eq!(members(&cluster, 1), "{n1 n2 n3 ~n4}");
    let stored = cluster.stored(NodeId::new(1));
    let head = stored.snapshot().expect("five entries are committed");
    assert_eq!(head.last(), entry(5, 2));
    assert_eq!(head.configuration().to_string(), "{n1 n2 n3}");
    assert_eq!(stored.last(), entry(6, 2));
}

#[test]
fn a_follower_that_lacks_what_is_compacted_is_sent_the_snapshot() {
    let cluster = after(COMPACTED);
    let status = cluster.status(NodeId::new(3));
    assert_eq!(
        (status.snapshot, status.compacted, status.last),
        (entry(4, 2), entry(4, 2), entry(5, 2))
    );
    assert_eq!(status.digest, cluster.status(NodeId::new(1)).digest);
}

#[test]
fn a_snapshot_that_covers_a_part_of_the_log_leaves_the_rest() {
    let mut cluster = after(COMPACTED);
    cluster.play("bring-back\n show AppendEntriesReply snapshots\n deliver 1 3");
    assert_eq!(outcome(&cluster), ["n3→n1 AppendEntriesReply t2 matched 4"]);
    assert_eq!(last(&cluster, 3), entry(5, 2));
}

#[test]
fn a_snapshot_replaces_a_log_that_conflicts_with_it() {
    let mut cluster =
        after(&DIVERGED.replace("timeout=500", "timeout=500 log-entries=7 trailing-bytes=0"));
    assert_eq!(last(&cluster, 1), entry(6, 2));
    assert_eq!(cluster.status(NodeId::new(3)).compacted, entry(7, 3));
    cluster.play("tick 3 2\n settle");
    let status = cluster.status(NodeId::new(1));
    assert_eq!((status.snapshot, status.compacted), (entry(7, 3), entry(7, 3)));
    assert_eq!(status.counters.snapshots_installed, 1);
}

#[test]
fn pieces_of_a_snapshot_are_taken_in_order() {
    let mut cluster = after(
        "group 3 log-entries=5 trailing-bytes=0 inflight=2
        isolate 3
        request 1 big 80000
        settle
        request 1 set b 2
        settle
        heal
        tick 1 2
        deliver 1 3
        deliver 3 1
        deliver 1 3
        deliver 3 1
        drop 1 3 InstallSnapshot first
        show InstallSnapshotReply",
    );
    cluster.play("deliver 1 3");
    assert_eq!(outcome(&cluster), ["n3→n1 InstallSnapshotReply t2 5@2 has 1"]);
}

// Thesis §3.10: leadership transfer.

#[test]
fn a_leader_brings_its_successor_up_before_it_tells_it_to_stand() {
    let mut cluster = after(
        "group 3
        request 1 set k 1
        drop 1 2 AppendEntries
        request 1 transfer 2
        show AppendEntries TimeoutNow",
    );
    cluster.play("settle");
    assert_eq!(role(&cluster, 2), Role::Follower);
    cluster.play("tick 1 2\n settle");
    let outcome = outcome(&cluster);
    let told = outcome.iter().position(|line| *line == "n1→n2 TimeoutNow t2");
    let sent = outcome.iter().position(|line| line.starts_with("n1→n2 AppendEntries"));
    assert!(sent < told && sent.is_some(), "{outcome:?}");
    assert_eq!(role(&cluster, 2), Role::Leader);
}

#[test]
fn a_leader_takes_no_commands_while_it_hands_on() {
    let cluster = after("group 3\n crash 2\n request 1 transfer 2\n request 1 set k 1");
    assert_eq!(last(&cluster, 1), entry(2, 2));
}

#[test]
fn a_vote_that_the_leader_wishes_is_given_although_it_is_alive() {
    let mut cluster = after("group 3\n request 1 transfer 2\n deliver 1 2\n show RequestVoteReply");
    cluster.play("deliver 2 3");
    assert_eq!(outcome(&cluster), ["n3→n2 RequestVoteReply t3 granted"]);
}

#[test]
fn a_leader_goes_on_when_its_successor_does_not_come_into_office_in_time() {
    let mut cluster = after("group 3\n crash 2\n request 1 transfer 2\n run 9");
    assert_eq!(cluster.status(NodeId::new(1)).transferring_to, Some(NodeId::new(2)));
    cluster.play("run 1");
    assert_eq!(cluster.status(NodeId::new(1)).transferring_to, None);
    cluster.play("request 1 set k 1\n run 1");
    assert_eq!(applied(&cluster, 1), (4, 4));
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

/// The terms of the entries that a node has stored.
fn terms(cluster: &Cluster, node: u64) -> Vec<u64> {
    let stored = cluster.stored(NodeId::new(node));
    stored.entries().iter().map(|entry| entry.id().term.get()).collect()
}

/// The members by the configuration that a node goes by.
fn members(cluster: &Cluster, node: u64) -> String {
    cluster.status(NodeId::new(node)).configuration.to_string()
}
