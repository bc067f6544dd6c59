//! An error type with a `'static` part in it, beside tasks that borrow: rustc then looks for one
//! lifetime above `'scope`, and must find the scope's `'env`, not `'static`.
use std::error::Error;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn joined(texts: &[String]) -> Result<usize> {
    wg::try_scope(|s| {
        let tasks = s.spawn_all(texts.iter().map(|text| move || Ok(text.parse::<usize>()?)));
        let mut sum = 0;
        for task in tasks {
            sum += task.join()?;
        }
        Ok(sum)
    })
}

fn mapped(texts: &[String]) -> Result<Vec<usize>> {
    wg::fan_out(texts).limit(2).try_map(|text| Ok(text.parse::<usize>()?))
}

fn pooled(texts: &[String]) -> Result<usize> {
    wg::try_scope(|s| {
        let mut pool = s.workers(2, |text: &String| Ok(text.parse::<usize>()?));
        for text in texts {
            pool.send(text)?;
        }
        Ok(pool.results().sum())
    })
}

fn collected(texts: &[String]) -> (usize, wg::Errors<&'static str>) {
    wg::collect_scope(|s| {
        s.spawn(|| if texts.is_empty() { Err("nothing to do") } else { Ok(()) });
        texts.len()
    })
}

#[test]
fn rule_04_an_error_may_be_static_while_tasks_borrow() {
    let texts = ["1".to_owned(), "2".to_owned()];
    assert_eq!(joined(&texts).unwrap(), 3);
    assert_eq!(mapped(&texts).unwrap(), [1, 2]);
    assert_eq!(pooled(&texts).unwrap(), 3);
    assert!(collected(&texts).1.is_empty());
    let plain: std::result::Result<(), &'static str> = wg::try_scope(|s| {
        s.spawn(|| if texts.len() == 2 { Ok(()) } else { Err("two") });
        Ok(())
    });
    assert_eq!(plain, Ok(()));
}
