//! A database in MaxMind's format, written for tests: a few networks of IPv4, each with a country and a continent. It reads nothing.
//! (MaxMind DB File Format Specification 2.0: a search tree of 24-bit records, sixteen zero bytes, data, metadata.)

/// A database of this type with these networks: `(first address, prefix, country, continent)`.
pub fn database(kind: &str, networks: &[([u8; 4], u8, &str, &str)]) -> Vec<u8> {
    let mut data = Vec::new();
    // A node's two records: another node, a place in the data, or nothing.
    let mut nodes: Vec<[Record; 2]> = vec![[Record::Nothing; 2]];
    for (address, prefix, country, continent) in networks {
        let place = data.len();
        map(&mut data, 2);
        coded(&mut data, "country", "iso_code", country);
        coded(&mut data, "continent", "code", continent);
        let address = u32::from_be_bytes(*address);
        let mut node = 0;
        for depth in 0..*prefix {
            let side = (address >> (31 - depth) & 1) as usize;
            if depth + 1 == *prefix {
                nodes[node][side] = Record::Data(place);
            } else if let Record::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Record::Nothing; 2]);
                let next = nodes.len() - 1;
                nodes[node][side] = Record::Node(next);
                node = next;
            }
        }
    }
    let count = nodes.len();
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let value = match record {
            Record::Nothing => count,
            Record::Node(node) => *node,
            Record::Data(place) => count + 16 + place,
        };
        file.extend_from_slice(&(value as u32).to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    map(&mut file, 9);
    for (name, number) in [
        ("binary_format_major_version", 2_u32),
        ("binary_format_minor_version", 0),
        ("ip_version", 4),
        ("record_size", 24),
        ("node_count", count as u32),
        ("build_epoch", 1),
    ] {
        text(&mut file, name);
        unsigned(&mut file, name, number);
    }
    text(&mut file, "database_type");
    text(&mut file, kind);
    text(&mut file, "description");
    map(&mut file, 0);
    text(&mut file, "languages");
    // An array, a type beyond the seventh: of nothing.
    file.extend_from_slice(&[0, 4]);
    file
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

fn map(out: &mut Vec<u8>, pairs: u8) {
    out.push(7 << 5 | pairs);
}

fn text(out: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 29, "{text}");
    out.push(2 << 5 | text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// `{ name: { key: code } }` without its own map.
fn coded(out: &mut Vec<u8>, name: &str, key: &str, code: &str) {
    text(out, name);
    map(out, 1);
    text(out, key);
    text(out, code);
}

fn unsigned(out: &mut Vec<u8>, name: &str, number: u32) {
    match name {
        // A 64-bit number, a type beyond the seventh.
        "build_epoch" => out.extend_from_slice(&[4, 2]),
        "node_count" => out.push(6 << 5 | 4),
        _ => {
            out.push(5 << 5 | 2);
            out.extend_from_slice(&(number as u16).to_be_bytes());
            return;
        }
    }
    out.extend_from_slice(&number.to_be_bytes());
}
