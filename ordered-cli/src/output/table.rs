/// Columns under their titles, two spaces apart; columns of numbers stand on the right.
pub(crate) fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let is_number = |text: &String| {
        text.chars()
            .all(|letter| letter.is_ascii_digit() || letter == ',')
            || text == "-"
    };
    let columns: Vec<(usize, bool)> = titles
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = || rows.iter().map(move |row| &row[column]);
            let width = cells().map(|cell| cell.chars().count()).max().unwrap_or(0);
            (width.max(title.chars().count()), cells().all(is_number))
        })
        .collect();
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (cell, (width, is_number)) in cells.iter().zip(&columns) {
            let space = " ".repeat(width - cell.chars().count());
            let parts = if *is_number {
                [&*space, *cell]
            } else {
                [*cell, &*space]
            };
            line += &parts.concat();
            line += "  ";
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![line(titles)];
    lines.extend(
        rows.iter()
            .map(|row| line(row.each_ref().map(String::as_str))),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [
            ["a–b".to_owned(), "1,000".into()],
            ["long name".into(), "7".into()],
        ];
        assert_eq!(
            table(["KEY", "HELD"], &rows),
            "KEY         HELD\na–b        1,000\nlong name      7"
        );
        assert_eq!(table(["KEY"], &[]), "KEY");
    }
}
