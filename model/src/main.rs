//! x
use model::*;
fn main() {
    let arg: Vec<String> = std::env::args().collect();
    if arg.get(1).is_some_and(|a| a == "hunt") {
        for m in Mutation::ALL {
            if arg.len() > 2 && !arg[2..].contains(&format!("{m:?}")) { continue; }
            let t = std::time::Instant::now();
            match hunt(m, HUNTING) { Some(f) => println!("{m:?} {:?} {f}", t.elapsed()), None => println!("{m:?} NOT FOUND {:?}", t.elapsed()) }
        }
        return;
    }
    let mut b = model::FULL[0];
    let f = &mut b.faults;
    for a in &arg[1..] {
        match a.as_str() {
            "crash" => f.crashes = true, "stop" => f.stops = true, "lost" => f.lost_replies = true, "conn" => f.lost_connections = true,
            "pause" => f.pauses = true, "fail" => f.failures = true, "step" => f.clock_steps = true,
            "copies2" => b.copies = 2, "lease2" => b.lease = 2, "w3" => b.workers = 3, "w1" => b.workers = 1,
            "e3" => b.events = &[Published{seq:1,id:'a'},Published{seq:2,id:'b'},Published{seq:3,id:'c'}],
            "e1" => b.events = &[Published{seq:1,id:'a'}],
            "coll" => b.events = &[Published{seq:1,id:'a'},Published{seq:1,id:'b'},Published{seq:2,id:'c'}],
            "rep" => b.events = &[Published{seq:1,id:'a'},Published{seq:2,id:'a'}],
            "a3" => b.attempts = 3, "q1" => b.quota = 1, "ttl" => b.remembered = Some(1), "d1" => {b.lane_depth = 1}, "n1" => b.next_events = 1,
            x => panic!("{x}"),
        }
    }
    let report = check(&Model::new(b), 2);
    println!("{:?} states {} steps {} depth {} took {:?}", &arg[1..], report.states, report.steps, report.depth, report.took);
    if let Some(f) = report.finding { println!("{f}"); }
}
