//! stub
pub fn main(_: &[String]) -> Result<bool, String> {
    Err("not there yet".to_owned())
}
